// cert-manager's own controllers, CA injector and webhook. The name of the program says which: `controller`, `cainjector`
// and `webhook`, as in its three images, where it is started by its manifests with flags that it passes over. By any other
// name it is all three in one process: `cert-manager -webhook-port PORT`. KUBECONFIG names the cluster.
package main

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"time"

	webhookapi "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"golang.org/x/sync/errgroup"
	core "k8s.io/api/core/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	registration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func must(err error) {
	if err != nil {
		logs.Log.Error(err, "fatal")
		os.Exit(1)
	}
}

func controllers(ctx context.Context, group *errgroup.Group) {
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		Kubeconfig: os.Getenv("KUBECONFIG"), KubernetesAPIQPS: 100, KubernetesAPIBurst: 200,
		IssuerOptions: controller.IssuerOptions{ClusterResourceNamespace: "cert-manager", ClusterIssuerAmbientCredentials: true},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: time.Second, CertificateRequestMaximumBackoffDuration: time.Minute,
		},
	})
	must(err)
	base, err := factory.Build()
	must(err)
	for _, constructor := range controller.Known() {
		one, err := constructor(factory)
		must(err)
		group.Go(func() error { return one.Run(5, ctx) })
	}
	base.SharedInformerFactory.Start(ctx.Done())
	base.KubeSharedInformerFactory.Start(ctx.Done())
	base.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
}

func injector(ctx context.Context, group *errgroup.Group) {
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubernetes.AddToScheme, scheme.AddToScheme, extensions.AddToScheme, registration.AddToScheme} {
		must(add(types))
	}
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(ctrl.GetConfigOrDie(), "cainjector"), ctrl.Options{
		Scheme: types, Metrics: metrics.Options{BindAddress: "0"},
		Cache:  cache.Options{ReaderFailOnMissingInformer: true},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&core.Secret{}}}},
	})
	must(err)
	must(cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.CustomResourceDefinitionName: true, cainjector.APIServiceName: false,
		},
	}))
	group.Go(func() error { return manager.Start(ctx) })
}

// Health is asked for in a pod alone.
func hook(ctx context.Context, group *errgroup.Group, port int, pod bool) {
	config := webhookapi.WebhookConfiguration{KubeConfig: os.Getenv("KUBECONFIG"), SecurePort: int32(port), MetricsListenAddress: "0"}
	if pod {
		config.HealthzPort = 6080
	}
	serving := &config.TLSConfig.Dynamic
	serving.SecretNamespace, serving.SecretName, serving.LeafDuration = "cert-manager", "cert-manager-webhook-ca", 7*24*time.Hour
	serving.DNSNames = []string{"cert-manager-webhook", "cert-manager-webhook.cert-manager", "cert-manager-webhook.cert-manager.svc"}
	server, err := webhook.NewCertManagerWebhookServer(logs.Log, config)
	must(err)
	if !pod {
		server.HealthzAddr = nil
	}
	group.Go(func() error { return server.Run(ctx) })
}

func main() {
	logs.InitLogs()
	defer logs.FlushLogs()
	ctrl.SetLogger(logs.Log)
	group, ctx := errgroup.WithContext(logs.NewContext(ctrl.SetupSignalHandler(), logs.Log, "cert-manager"))
	switch filepath.Base(os.Args[0]) {
	case "controller":
		go func() { // The liveness probe of the Deployment.
			_ = http.ListenAndServe(":9403", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
		}()
		controllers(ctx, group)
	case "cainjector":
		injector(ctx, group)
	case "webhook":
		hook(ctx, group, 10250, true)
	default:
		port := flag.Int("webhook-port", 0, "where the webhook listens")
		flag.Parse()
		controllers(ctx, group)
		injector(ctx, group)
		hook(ctx, group, *port, false)
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		must(err)
	}
}
