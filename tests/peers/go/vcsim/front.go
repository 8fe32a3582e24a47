package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25/mo"
)

// rule is one thing that happens to requests. What it matches is `METHOD /path SoapMethod`, one line, followed by the
// request's body.
type rule struct {
	Match string `json:"match"`
	// How many matches pass before the rule applies, and how often it does then; 0 is always.
	Skip  int `json:"skip"`
	Times int `json:"times"`

	DelayMs int `json:"delayMs"`
	// Answers itself.
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	// Closes the connection: before the vCenter hears of the request, or in the middle of its answer.
	Drop    bool `json:"drop"`
	CutBody bool `json:"cutBody"`
	// Ends all sessions of others before the request goes on.
	Expire bool `json:"expire"`
	// Regular expression and replacement, on the answer's body.
	Replace [][2]string `json:"replace"`

	expression *regexp.Regexp
	seen       int
}

type front struct {
	sync.Mutex
	target      string
	admin       *admin
	transport   *http.Transport
	rules       []*rule
	connections int
	requests    []string
	restOpen    map[string]bool
}

func newFront(target string, a *admin) *front {
	return &front{target: target, admin: a, restOpen: map[string]bool{}, transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 32, DisableCompression: true,
	}}
}

func (f *front) serve(listen string, pair tls.Certificate) string {
	listener, err := net.Listen("tcp", listen)
	must(err)
	server := &http.Server{
		Handler:   http.HandlerFunc(f.handle),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}},
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				f.Lock()
				f.connections++
				f.Unlock()
			}
		},
	}
	go func() { must(server.ServeTLS(listener, "", "")) }()
	return listener.Addr().String()
}

var method = regexp.MustCompile(`<(?:[A-Za-z0-9_-]+:)?Body[^>]*>\s*<(?:[A-Za-z0-9_-]+:)?([A-Za-z0-9_]+)`)

func (f *front) handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.RequestURI()
	if m := method.FindSubmatch(body); m != nil {
		line += " " + string(m[1])
	}
	applied := f.note(line, body)
	var replace [][2]string
	cut := false
	for _, rule := range applied {
		time.Sleep(time.Duration(rule.DelayMs) * time.Millisecond)
		if rule.Expire {
			f.expire()
		}
		if rule.Drop {
			hangUp(w)
			return
		}
		if rule.Status != 0 {
			for name, value := range rule.Headers {
				w.Header().Set(name, value)
			}
			w.WriteHeader(rule.Status)
			_, _ = io.WriteString(w, rule.Body)
			return
		}
		replace = append(replace, rule.Replace...)
		cut = cut || rule.CutBody
	}
	answer, content, err := f.forward(r, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for _, pair := range replace {
		content = regexp.MustCompile(pair[0]).ReplaceAll(content, []byte(pair[1]))
	}
	for name, values := range answer.Header {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	f.sessions(r, answer, content)
	if cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(content[:len(content)/2])
		hangUp(w)
		return
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(content)
}

func hangUp(w http.ResponseWriter) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		connection.Close()
	}
}

func (f *front) note(line string, body []byte) []*rule {
	f.Lock()
	defer f.Unlock()
	f.requests = append(f.requests, line)
	var applied []*rule
	for _, rule := range f.rules {
		if !rule.expression.MatchString(line + "\n" + string(body)) {
			continue
		}
		rule.seen++
		if rule.seen > rule.Skip && (rule.Times == 0 || rule.seen <= rule.Skip+rule.Times) {
			applied = append(applied, rule)
		}
	}
	return applied
}

func (f *front) forward(r *http.Request, body []byte) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+f.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header = r.Header.Clone()
	answer, err := f.transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer, content, err
}

// sessions keeps the list of REST sessions that are open: the simulator has none to ask for.
func (f *front) sessions(r *http.Request, answer *http.Response, content []byte) {
	if !strings.HasSuffix(r.URL.Path, "/com/vmware/cis/session") || answer.StatusCode != http.StatusOK {
		return
	}
	f.Lock()
	defer f.Unlock()
	if r.Method == http.MethodDelete {
		delete(f.restOpen, r.Header.Get("vmware-api-session-id"))
	} else if r.Method == http.MethodPost && r.URL.RawQuery == "" {
		var opened struct{ Value string }
		if json.Unmarshal(content, &opened) == nil {
			f.restOpen[opened.Value] = true
		}
	}
}

// others lists the sessions that are not this program's own.
func (f *front) others() []string {
	ctx := context.Background()
	var manager mo.SessionManager
	collector := property.DefaultCollector(f.admin.Client.Client)
	must(collector.RetrieveOne(ctx, *f.admin.ServiceContent.SessionManager, []string{"sessionList", "currentSession"}, &manager))
	keys := []string{}
	for _, s := range manager.SessionList {
		if manager.CurrentSession == nil || s.Key != manager.CurrentSession.Key {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

func (f *front) expire() {
	if keys := f.others(); len(keys) > 0 {
		must(session.NewManager(f.admin.Client.Client).TerminateSession(context.Background(), keys))
	}
}

func (f *front) control() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		sessions := len(f.others())
		f.Lock()
		defer f.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{
			"connections": f.connections, "requests": f.requests, "sessions": sessions, "restSessions": len(f.restOpen),
		})
	})
	mux.HandleFunc("POST /rules", func(w http.ResponseWriter, r *http.Request) {
		var rules []*rule
		if err := json.NewDecoder(r.Body).Decode(&rules); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, rule := range rules {
			expression, err := regexp.Compile(rule.Match)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			rule.expression = expression
		}
		f.Lock()
		defer f.Unlock()
		f.rules, f.connections, f.requests = rules, 0, nil
	})
	go func() { must(http.Serve(listener, mux)) }()
	return listener.Addr().String()
}

func thumbprint(pair tls.Certificate) string {
	sum := sha1.Sum(pair.Certificate[0])
	parts := []string{}
	for _, b := range sum {
		parts = append(parts, fmt.Sprintf("%02X", b))
	}
	return strings.Join(parts, ":")
}
