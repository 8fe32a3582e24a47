// vcsim: govmomi's vCenter simulator with checked logins and a whole inventory, behind a TLS front that counts, delays,
// breaks and rewrites what passes it. One program, so that a test starts it in less than a second.
//
// It prints one line of JSON when it is ready: the address of the front, the address of its control API (plain HTTP),
// and the certificate's thumbprint. It ends when its standard input closes.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/url"
	"os"

	"github.com/vmware/govmomi/simulator"

	_ "github.com/vmware/govmomi/lookup/simulator"
	_ "github.com/vmware/govmomi/pbm/simulator"
	_ "github.com/vmware/govmomi/ssoadmin/simulator"
	_ "github.com/vmware/govmomi/sts/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("l", "127.0.0.1:0", "address to listen on")
	user := flag.String("username", "", "SSO user without domain")
	pass := flag.String("password", "", "password of that user")
	cert := flag.String("tlscert", "", "PEM certificate")
	key := flag.String("tlskey", "", "PEM key of that certificate")
	folder := flag.String("folder", "", "folder for the files of datastores")
	machines := flag.Int("machines", 0, "virtual machines beside those of the inventory")
	flag.Parse()

	model := simulator.VPX()
	model.Datacenter, model.Cluster, model.ClusterHost, model.Host, model.Machine = 1, 1, 3, 0, 0
	model.Pool, model.Datastore, model.Portgroup, model.OpaqueNetwork = 0, 0, 1, 1
	defer model.Remove()
	about := &model.ServiceContent.About
	about.ApiVersion, about.Version, about.FullName = "8.0.2.0", "8.0.2", "VMware vCenter Server 8.0.2 build-22617221 (govmomi simulator)"
	must(model.Create())
	service := model.Service
	service.RegisterEndpoints = true
	service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(*user, *pass)}
	service.TLS = new(tls.Config)
	server := service.NewServer()
	defer server.Close()

	admin := login(server.URL, *user, *pass)
	fill(admin, model, *folder, *machines)

	pair, err := tls.LoadX509KeyPair(*cert, *key)
	must(err)
	front := newFront(server.URL.Host, admin)
	address := front.serve(*listen, pair)
	control := front.control()
	// The address, on a line of its own, is what the tests wait for.
	must(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"address": address, "control": control, "thumbprint": thumbprint(pair),
	}))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
