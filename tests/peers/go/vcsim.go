// vcsim: govmomi's vCenter simulator with TLS and checked logins.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/vmware/govmomi/simulator"

	_ "github.com/vmware/govmomi/lookup/simulator"
	_ "github.com/vmware/govmomi/pbm/simulator"
	_ "github.com/vmware/govmomi/ssoadmin/simulator"
	_ "github.com/vmware/govmomi/sts/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

func main() {
	m := simulator.VPX()
	listen := flag.String("l", "127.0.0.1:0", "address to listen on")
	user := flag.String("username", "", "SSO user without domain")
	pass := flag.String("password", "", "password of that user")
	cert := flag.String("tlscert", "", "PEM certificate")
	key := flag.String("tlskey", "", "PEM key of that certificate")
	flag.Parse()
	m.Datacenter, m.Cluster, m.ClusterHost, m.Host, m.Machine = 1, 1, 3, 0, 0
	m.Pool, m.Datastore, m.Portgroup = 0, 0, 1
	defer m.Remove()
	must(m.Create())
	s := m.Service
	s.RegisterEndpoints = true
	s.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *pass)}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	must(err)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server := s.NewServer()
	// The address, on a line of its own, is what the tests wait for.
	fmt.Println(server.URL.Host)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
	server.Close()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
