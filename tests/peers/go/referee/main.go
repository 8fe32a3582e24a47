// referee: what the reference implementation says of a cluster spec.
//
//	referee parse FILE BUNDLES     accepts or rejects it, as a create would before it touches anything
//	referee render FILE BUNDLES    the Cluster API manifests of its own template builders
//
// The infrastructure is one in which everything that a spec names exists and is as it has to be, so that what is said is
// about the spec alone. Exit code: 0 accepted, 1 rejected, 2 the referee itself could not do it.
package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/aws/eks-anywhere/pkg/api/v1alpha1"
	"github.com/aws/eks-anywhere/pkg/cluster"
	"github.com/aws/eks-anywhere/pkg/clusterapi"
	"github.com/aws/eks-anywhere/pkg/constants"
	"github.com/aws/eks-anywhere/pkg/executables"
	"github.com/aws/eks-anywhere/pkg/files"
	"github.com/aws/eks-anywhere/pkg/filewriter"
	"github.com/aws/eks-anywhere/pkg/providers"
	"github.com/aws/eks-anywhere/pkg/providers/docker"
	"github.com/aws/eks-anywhere/pkg/providers/vsphere"
	"github.com/aws/eks-anywhere/pkg/types"
	"github.com/aws/eks-anywhere/pkg/validations"
	"github.com/aws/eks-anywhere/pkg/version"
)

// The release that the reference believes to be.
const release = "v0.26.1"

func main() {
	if len(os.Args) != 4 || (os.Args[1] != "parse" && os.Args[1] != "render") {
		fmt.Fprintln(os.Stderr, "usage: referee parse|render FILE BUNDLES")
		os.Exit(2)
	}
	environment()
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "referee:", err)
		os.Exit(2)
	}
	spec, stage, err := judge(os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", stage, err)
		os.Exit(1)
	}
	if os.Args[1] == "parse" {
		return
	}
	out, err := render(spec)
	if err != nil {
		fmt.Fprintf(os.Stderr, "render: %v\n", err)
		os.Exit(1)
	}
	fmt.Print(out)
}

// Credentials that render as themselves wherever they end up.
func environment() {
	for name, value := range map[string]string{
		"EKSA_VSPHERE_USERNAME": "user", "EKSA_VSPHERE_PASSWORD": "password",
		"REGISTRY_USERNAME": "registry-user", "REGISTRY_PASSWORD": "registry-password",
	} {
		if os.Getenv(name) == "" {
			os.Setenv(name, value)
		}
	}
}

// A release may name its parts relative to itself, which the reference takes as relative to where it runs.
func start() error {
	for _, argument := range []*string{&os.Args[2], &os.Args[3]} {
		whole, err := filepath.Abs(*argument)
		if err != nil {
			return err
		}
		if _, err := os.Stat(whole); err != nil {
			return err
		}
		*argument = whole
	}
	return os.Chdir(filepath.Dir(os.Args[3]))
}

// The checks of a create, in its order, up to the first that fails.
func judge(file, bundles string) (*cluster.Spec, string, error) {
	ctx := context.Background()
	cli := version.Info{GitVersion: release}
	parsed, err := v1alpha1.GetAndValidateClusterConfig(file)
	if err != nil {
		return nil, "cluster", err
	}
	if parsed.Spec.EtcdEncryption != nil {
		// A create refuses it, an upgrade does not: rendering can be looked at when asked for.
		if os.Getenv("REFEREE_ETCD_ENCRYPTION") == "" {
			return nil, "cluster", fmt.Errorf("etcdEncryption is not supported during cluster creation")
		}
	}
	builder := cluster.NewFileSpecBuilder(files.NewReader(), cli, cluster.WithOverrideBundlesManifest(bundles))
	spec, err := builder.Build(file)
	if err != nil {
		return nil, "spec", err
	}
	if err := cluster.ValidateConfig(spec.Config); err != nil {
		return nil, "spec", err
	}
	if spec.Cluster.IsManaged() {
		spec.ManagementCluster = &types.Cluster{Name: spec.Cluster.ManagedBy(), KubeconfigFile: "management.kubeconfig"}
	}
	if err := validations.ValidateAuthenticationForRegistryMirror(spec); err != nil {
		return nil, "spec", err
	}
	health := cluster.NewMachineHealthCheckDefaulter(
		constants.DefaultNodeStartupTimeout, constants.DefaultUnhealthyMachineTimeout,
		intstr.Parse(constants.DefaultMaxUnhealthy), intstr.Parse(constants.DefaultWorkerMaxUnhealthy))
	if spec, err = health.MachineHealthCheckDefault(ctx, spec); err != nil {
		return nil, "defaults", err
	}
	provider, clean, err := provider(spec)
	if err != nil {
		return nil, "provider", err
	}
	defer clean()
	if err := provider.SetupAndValidateCreateCluster(ctx, spec); err != nil {
		return nil, "provider", err
	}
	if err := validations.ValidateOSForRegistryMirror(spec, provider); err != nil {
		return nil, "preflight", err
	}
	if err := validations.ValidateEksaVersion(ctx, release, spec); err != nil {
		return nil, "preflight", err
	}
	if bottlerocket(spec) {
		if err := validations.ValidateBottlerocketKubeletConfig(spec); err != nil {
			return nil, "preflight", err
		}
	}
	return spec, "", nil
}

func bottlerocket(spec *cluster.Spec) bool {
	family := func(ref *v1alpha1.Ref) bool {
		return ref != nil && spec.VSphereMachineConfigs[ref.Name] != nil &&
			spec.VSphereMachineConfigs[ref.Name].Spec.OSFamily == v1alpha1.Bottlerocket
	}
	found := family(spec.Cluster.Spec.ControlPlaneConfiguration.MachineGroupRef)
	for _, group := range spec.Cluster.Spec.WorkerNodeGroupConfigurations {
		found = found || family(group.MachineGroupRef)
	}
	return found
}

func provider(spec *cluster.Spec) (providers.Provider, func(), error) {
	switch kind := spec.Cluster.Spec.DatacenterRef.Kind; kind {
	case v1alpha1.DockerDatacenterKind:
		return docker.NewProvider(spec.DockerDatacenter, nil, nil, time.Now), func() {}, nil
	case v1alpha1.VSphereDatacenterKind:
		folder, err := os.MkdirTemp("", "referee")
		if err != nil {
			return nil, nil, err
		}
		writer, err := filewriter.NewWriter(folder)
		if err != nil {
			return nil, nil, err
		}
		skip := map[string]bool{validations.VSphereUserPriv: true}
		provider := vsphere.NewProvider(
			spec.VSphereDatacenter, spec.Cluster, paradise{spec: spec}, empty{}, writer, nil, time.Now, true, skip)
		return provider, func() { os.RemoveAll(folder) }, nil
	default:
		return nil, nil, fmt.Errorf("the referee has no provider for %s", kind)
	}
}

func render(spec *cluster.Spec) (string, error) {
	names := func(values map[string]interface{}) {
		values["controlPlaneTemplateName"] = clusterapi.ControlPlaneMachineTemplateName(spec.Cluster)
		values["etcdTemplateName"] = clusterapi.EtcdMachineTemplateName(spec.Cluster)
	}
	var parts [][]byte
	add := func(part []byte, err error) error {
		parts = append(parts, part)
		return err
	}
	var err error
	switch spec.Cluster.Spec.DatacenterRef.Kind {
	case v1alpha1.DockerDatacenterKind:
		builder := docker.NewDockerTemplateBuilder(time.Now)
		if err = add(builder.GenerateCAPISpecControlPlane(spec, names)); err == nil {
			err = add(builder.CAPIWorkersSpecWithInitialNames(spec))
		}
	default:
		builder := vsphere.NewVsphereTemplateBuilder(time.Now)
		if err = add(builder.GenerateCAPISpecControlPlane(spec, names)); err == nil {
			err = add(builder.CAPIWorkersSpecWithInitialNames(spec))
		}
		if err == nil {
			domains := map[string]string{}
			for _, domain := range spec.VSphereDatacenter.Spec.FailureDomains {
				domains[domain.Name] = vsphere.FailureDomainTemplateName(spec, domain.Name)
			}
			err = add(builder.GenerateVsphereFailureDomainsSpec(spec, domains))
		}
	}
	if err != nil {
		return "", err
	}
	for _, object := range clusterapi.MachineHealthCheckObjects(spec.Cluster) {
		if err := add(yaml.Marshal(object)); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	for _, part := range parts {
		if text := strings.TrimSpace(string(part)); text != "" {
			out.WriteString("---\n" + text + "\n")
		}
	}
	return out.String(), nil
}

// paradise is a vCenter that has all that the spec names.
type paradise struct {
	vsphere.ProviderGovcClient
	spec *cluster.Spec
}

func (p paradise) SearchTemplate(_ context.Context, _, template string) (string, error) {
	return template, nil
}
func (p paradise) TemplateHasSnapshot(_ context.Context, template string) (bool, error) {
	return p.linked(template) != nil, nil
}
func (p paradise) GetVMDiskSizeInGB(_ context.Context, template, _ string) (int, error) {
	if machine := p.linked(template); machine != nil {
		return machine.Spec.DiskGiB, nil
	}
	return 20, nil
}

func (p paradise) linked(template string) *v1alpha1.VSphereMachineConfig {
	for _, machine := range p.spec.VSphereMachineConfigs {
		if machine.Spec.Template == template && machine.Spec.CloneMode == v1alpha1.LinkedClone {
			return machine
		}
	}
	return nil
}
func (p paradise) LibraryElementExists(context.Context, string) (bool, error) { return true, nil }
func (p paradise) GetWorkloadAvailableSpace(context.Context, string) (float64, error) {
	return 1 << 40, nil
}

// As the reference's own client puts them under their folder; pools and clusters are found by their end.
func (p paradise) ValidateVCenterSetupMachineConfig(
	_ context.Context, datacenter *v1alpha1.VSphereDatacenterConfig, machine *v1alpha1.VSphereMachineConfig, _ *bool,
) error {
	var err error
	if machine.Spec.Datastore, err = under(datacenter, "datastore", machine.Spec.Datastore); err != nil {
		return err
	}
	machine.Spec.Folder, err = under(datacenter, "vm", machine.Spec.Folder)
	return err
}
func (p paradise) ValidateFailureDomainConfig(
	_ context.Context, datacenter *v1alpha1.VSphereDatacenterConfig, domain *v1alpha1.FailureDomain,
) error {
	var err error
	if domain.Datastore, err = under(datacenter, "datastore", domain.Datastore); err != nil {
		return err
	}
	domain.Folder, err = under(datacenter, "vm", domain.Folder)
	return err
}

func under(datacenter *v1alpha1.VSphereDatacenterConfig, folder, given string) (string, error) {
	root := "/" + datacenter.Spec.Datacenter
	switch {
	case given == "":
		return "", nil
	case !strings.HasPrefix(given, root):
		return path.Join(root, folder) + "/" + given, nil
	case !strings.HasPrefix(given, root+"/"+folder):
		return "", fmt.Errorf("invalid folder type, expected path under %s/%s", root, folder)
	}
	return given, nil
}
func (p paradise) ValidateVCenterConnection(context.Context, string) error { return nil }
func (p paradise) ValidateVCenterAuthentication(context.Context) error     { return nil }
func (p paradise) IsCertSelfSigned(context.Context) bool                   { return false }
func (p paradise) ConfigureCertThumbprint(context.Context, string, string) error {
	return nil
}
func (p paradise) DatacenterExists(context.Context, string) (bool, error) { return true, nil }
func (p paradise) NetworkExists(context.Context, string) (bool, error)    { return true, nil }
func (p paradise) GetTags(context.Context, string) ([]string, error) {
	var tags []string
	for _, family := range []v1alpha1.OSFamily{v1alpha1.Bottlerocket, v1alpha1.Ubuntu, v1alpha1.RedHat} {
		tags = append(tags, "os:"+string(family))
	}
	for _, bundle := range p.spec.VersionsBundles {
		tags = append(tags, "eksdRelease:"+bundle.EksD.Name)
	}
	return tags, nil
}
func (p paradise) ListTags(context.Context) ([]executables.Tag, error) {
	var tags []executables.Tag
	for _, machine := range p.spec.VSphereMachineConfigs {
		for _, id := range machine.Spec.TagIDs {
			tags = append(tags, executables.Tag{Id: id})
		}
	}
	return tags, nil
}

// KiB of the one disk that Bottlerocket's image has.
func (p paradise) GetHardDiskSize(context.Context, string, string) (map[string]float64, error) {
	return map[string]float64{"Hard disk 1": 23068672}, nil
}
func (p paradise) GetResourcePoolInfo(context.Context, string, string, ...string) (map[string]int, error) {
	return map[string]int{vsphere.MemoryAvailable: -1}, nil
}

// empty is a management cluster without other clusters.
type empty struct {
	vsphere.ProviderKubectlClient
}

func (empty) SearchVsphereMachineConfig(context.Context, string, string, string) ([]*v1alpha1.VSphereMachineConfig, error) {
	return nil, nil
}
func (empty) SearchVsphereDatacenterConfig(context.Context, string, string, string) ([]*v1alpha1.VSphereDatacenterConfig, error) {
	return nil, nil
}
