package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/types"
)

const home = "/SDDC-Datacenter"

// The releases that templates are made for, as their tags name them.
var releases = []string{"kubernetes-1-33-eks-28", "kubernetes-1-34-eks-19", "kubernetes-1-35-eks-10"}

type admin struct {
	*govmomi.Client
	rest *rest.Client
	user *url.Userinfo
}

func login(at *url.URL, user, pass string) *admin {
	ctx := context.Background()
	u := *at
	u.User = url.UserPassword(user, pass)
	client, err := govmomi.NewClient(ctx, &u, true)
	must(err)
	r := rest.NewClient(client.Client)
	must(r.Login(ctx, u.User))
	return &admin{client, r, u.User}
}

// fill makes the inventory that the specs of the tests name, and beside it what is wrong on purpose.
func fill(a *admin, model *simulator.Model, files string, machines int) {
	ctx := context.Background()
	f := find.NewFinder(a.Client.Client)
	dc, err := f.Datacenter(ctx, "/DC0")
	must(err)
	wait(dc.Rename(ctx, "SDDC-Datacenter"))
	cluster, err := f.ClusterComputeResource(ctx, home+"/host/DC0_C0")
	must(err)
	wait(cluster.Rename(ctx, "Cluster-1"))

	// Networks: distributed, NSX opaque (both the simulator's own) and standard ("VM Network").
	dvs, err := f.Network(ctx, home+"/network/DVS0")
	must(err)
	wait(dvs.(*object.DistributedVirtualSwitch).AddPortgroup(ctx, []types.DVPortgroupConfigSpec{
		{Name: "sddc-cgw-network-1", Type: "earlyBinding", NumPorts: 64},
		{Name: "Netz Größe & <2>", Type: "earlyBinding", NumPorts: 64},
	}))

	// A datastore each: its files lie in a folder of this machine, and its free space is that folder's.
	hosts, err := cluster.Hosts(ctx)
	must(err)
	for _, name := range []string{"WorkloadDatastore", "OtherDatastore"} {
		path := filepath.Join(files, name)
		must(os.MkdirAll(path, 0o700))
		for _, host := range hosts {
			system, err := host.ConfigManager().DatastoreSystem(ctx)
			must(err)
			_, err = system.CreateLocalDatastore(ctx, name, path)
			must(err)
		}
	}

	root, err := cluster.ResourcePool(ctx)
	must(err)
	pool := makePool(ctx, root, "Compute-ResourcePool", -1)
	makePool(ctx, root, "Small", 4096)
	// Twice the same name, at two places.
	makePool(ctx, makePool(ctx, root, "East", -1), "Twin-Pool", -1)
	makePool(ctx, makePool(ctx, root, "West", -1), "Twin-Pool", -1)

	folders, err := dc.Folders(ctx)
	must(err)
	vm := folders.VmFolder
	templates, other := makeFolder(ctx, vm, "Templates"), makeFolder(ctx, vm, "Other")
	makeFolder(ctx, vm, "Workloads")
	makeFolder(ctx, makeFolder(ctx, vm, "capv"), "prod")
	makeFolder(ctx, vm, "a/b")
	makeFolder(ctx, vm, "Größe & <2>")

	t := tagger(ctx, a)
	network, err := f.Network(ctx, home+"/network/sddc-cgw-network-1")
	must(err)
	datastore, err := f.Datastore(ctx, home+"/datastore/WorkloadDatastore")
	must(err)
	template := func(folder *object.Folder, name string, gib int64) *object.VirtualMachine {
		return machine(ctx, folder, pool, network, datastore, name, gib)
	}
	for _, release := range releases {
		version := strings.Join(strings.Split(release, "-")[1:3], "-")
		for _, system := range []struct {
			name, tag string
			gib       int64
		}{{"ubuntu-2204-kube-v", "ubuntu", 25}, {"bottlerocket-kube-v", "bottlerocket", 22}} {
			vm := template(templates, system.name+version, system.gib)
			wait(vm.CreateSnapshot(ctx, "root", "", false, false))
			t.attach(ctx, vm, "os:"+system.tag, "eksdRelease:"+release)
			must(vm.MarkAsTemplate(ctx))
		}
	}
	// A template without tags and snapshot, one name at two places, a Bottlerocket template with a wrong disk, a
	// virtual machine that is no template.
	must(template(templates, "untagged-template", 25).MarkAsTemplate(ctx))
	for _, folder := range []*object.Folder{templates, other} {
		twin := template(folder, "twin-template-"+folder.Name(), 25)
		wait(twin.Rename(ctx, "twin-template"))
		must(twin.MarkAsTemplate(ctx))
	}
	fat := template(templates, "bottlerocket-fat", 30)
	t.attach(ctx, fat, "os:bottlerocket", "eksdRelease:kubernetes-1-35-eks-10")
	must(fat.MarkAsTemplate(ctx))
	t.attach(ctx, template(templates, "no-template", 25), "os:ubuntu", "eksdRelease:kubernetes-1-35-eks-10")

	_, err = library.NewManager(a.rest).CreateLibrary(ctx, library.Library{
		Name: "kept-library", Type: "LOCAL",
		Storage: []library.StorageBacking{{DatastoreID: datastore.Reference().Value, Type: "DATASTORE"}},
	})
	must(err)
	many(model, vm.Reference(), machines)
}

func wait(task *object.Task, err error) {
	must(err)
	must(task.Wait(context.Background()))
}

func makeFolder(ctx context.Context, parent *object.Folder, name string) *object.Folder {
	folder, err := parent.CreateFolder(ctx, name)
	must(err)
	folder.InventoryPath = parent.InventoryPath + "/" + name
	return folder
}

func makePool(ctx context.Context, parent *object.ResourcePool, name string, limit int64) *object.ResourcePool {
	spec := types.DefaultResourceConfigSpec()
	spec.MemoryAllocation.Limit = types.NewInt64(limit)
	pool, err := parent.Create(ctx, name, spec)
	must(err)
	return pool
}

func machine(ctx context.Context, folder *object.Folder, pool *object.ResourcePool, network object.NetworkReference,
	datastore *object.Datastore, name string, gib int64) *object.VirtualMachine {
	var devices object.VirtualDeviceList
	controller, err := devices.CreateSCSIController("pvscsi")
	must(err)
	devices = append(devices, controller)
	disk := devices.CreateDisk(controller.(types.BaseVirtualController), datastore.Reference(), "")
	disk.CapacityInKB = gib << 20
	// The label that a vCenter gives: whoever looks for disks by name finds them.
	disk.DeviceInfo = &types.Description{Label: "Hard disk 1"}
	devices = append(devices, disk)
	backing, err := network.EthernetCardBackingInfo(ctx)
	must(err)
	card, err := devices.CreateEthernetCard("vmxnet3", backing)
	must(err)
	changes, err := append(devices, card).ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	must(err)
	task, err := folder.CreateVM(ctx, types.VirtualMachineConfigSpec{
		Name: name, GuestId: "ubuntu64Guest", NumCPUs: 2, MemoryMB: 2048, DeviceChange: changes,
		Files: &types.VirtualMachineFileInfo{VmPathName: "[WorkloadDatastore]"},
	}, pool, nil)
	must(err)
	result, err := task.WaitForResult(ctx, nil)
	must(err)
	return object.NewVirtualMachine(folder.Client(), result.Result.(types.ManagedObjectReference))
}

type tagging struct {
	manager *tags.Manager
	ids     map[string]string
}

func tagger(ctx context.Context, a *admin) tagging {
	t := tagging{tags.NewManager(a.rest), map[string]string{}}
	create := func(category string, names ...string) {
		id, err := t.manager.CreateCategory(ctx, &tags.Category{
			Name: category, Cardinality: "MULTIPLE", AssociableTypes: []string{"VirtualMachine", "Folder"},
		})
		must(err)
		for _, name := range names {
			tag, err := t.manager.CreateTag(ctx, &tags.Tag{Name: name, CategoryID: id})
			must(err)
			t.ids[name] = tag
		}
	}
	create("os", "os:ubuntu", "os:bottlerocket", "os:redhat")
	create("team", "platform")
	var names []string
	for _, release := range releases {
		names = append(names, "eksdRelease:"+release)
	}
	create("eksdRelease", names...)
	return t
}

func (t tagging) attach(ctx context.Context, vm *object.VirtualMachine, names ...string) {
	for _, name := range names {
		must(t.manager.AttachTag(ctx, t.ids[name], vm.Reference()))
	}
}

// many puts virtual machines straight into the inventory: thousands are made in no time.
func many(model *simulator.Model, root types.ManagedObjectReference, count int) {
	if count == 0 {
		return
	}
	ctx := model.Service.Context
	parent := ctx.Map.Get(root).(*simulator.Folder)
	for i := range count {
		vm := new(simulator.VirtualMachine)
		vm.Name = fmt.Sprintf("machine-%05d", i)
		vm.Parent = &root
		ctx.Map.PutEntity(parent, ctx.Map.NewEntity(vm))
		parent.ChildEntity = append(parent.ChildEntity, vm.Self)
	}
}
