// A pod network for nodes that share a container network: what kindnetd does for IPv4, whose own module can't be had.
// It writes the node's CNI configuration, keeps a route to each other node's pods, and masquerades what leaves the cluster.
//
// HOST_IP and POD_SUBNET come from the DaemonSet, CONTROL_PLANE_ENDPOINT may; `ip` and `iptables` from the image.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount/"
	config  = "/etc/cni/net.d/10-kindnet.conflist"
	chain   = "KIND-MASQ-AGENT"
)

type node struct {
	Spec   struct{ PodCIDR string }
	Status struct {
		Addresses []struct{ Type, Address string }
	}
}

func (n node) address() string {
	for _, a := range n.Status.Addresses {
		if a.Type == "InternalIP" && net.ParseIP(a.Address).To4() != nil {
			return a.Address
		}
	}
	return ""
}

func run(command ...string) error {
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func nat(what string, rule ...string) error {
	return run(append([]string{"iptables", "-w", "-t", "nat", what}, rule...)...)
}

func rule(rule ...string) error {
	if nat("-C", rule...) == nil {
		return nil
	}
	return nat("-A", rule...)
}

// masquerade lets pods reach what is outside under the node's address.
func masquerade(inside []string) error {
	_ = nat("-N", chain) // It is there from the second time on.
	for _, subnet := range inside {
		if err := rule(chain, "-d", subnet, "-j", "RETURN"); err != nil {
			return err
		}
	}
	if err := rule(chain, "-j", "MASQUERADE"); err != nil {
		return err
	}
	return rule("POSTROUTING", "-m", "addrtype", "!", "--dst-type", "LOCAL", "-j", chain)
}

// configure tells the runtime which addresses the pods of this node get.
func configure(pods string) error {
	mtu := 1500
	if eth0, err := net.InterfaceByName("eth0"); err == nil {
		mtu = eth0.MTU
	}
	object := func(pairs ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i].(string)] = pairs[i+1]
		}
		return out
	}
	addresses := object("type", "host-local", "dataDir", "/run/cni-ipam-state",
		"routes", []any{object("dst", "0.0.0.0/0")}, "ranges", []any{[]any{object("subnet", pods)}})
	text, err := json.Marshal(object("cniVersion", "0.3.1", "name", "kindnet", "plugins", []any{
		object("type", "ptp", "ipMasq", false, "mtu", mtu, "ipam", addresses),
		object("type", "portmap", "capabilities", object("portMappings", true)),
	}))
	if err != nil {
		return err
	}
	if err := os.WriteFile(config+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(config+".new", config)
}

func nodes(client *http.Client, server string) ([]node, error) {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodGet, "https://"+server+"/api/v1/nodes", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", server, response.Status)
	}
	var list struct{ Items []node }
	return list.Items, json.NewDecoder(response.Body).Decode(&list)
}

func main() {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	// The endpoint is there before kube-proxy has made the Service reachable.
	servers := []string{os.Getenv("CONTROL_PLANE_ENDPOINT"), net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))}
	own, inside, configured := os.Getenv("HOST_IP"), strings.Split(strings.TrimSpace(os.Getenv("POD_SUBNET")), ","), ""

	look := func() error {
		var all []node
		err := fmt.Errorf("no server is known")
		for _, server := range servers {
			if server == "" {
				continue
			}
			if all, err = nodes(client, server); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
		for _, n := range all {
			pods, address := n.Spec.PodCIDR, n.address()
			switch {
			case pods == "" || address == "":
			case address != own:
				if err := run("ip", "route", "replace", pods, "via", address); err != nil {
					return err
				}
			case configured != pods:
				if err := configure(pods); err != nil {
					return err
				}
				configured = pods
				log.Printf("pods of this node are in %s", pods)
			}
		}
		return masquerade(inside)
	}
	for {
		pause := 10 * time.Second
		if err := look(); err != nil {
			log.Print(err)
			pause = time.Second
		}
		time.Sleep(pause)
	}
}
