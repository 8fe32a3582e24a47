module sigs.k8s.io/cluster-api-provider-cloudstack

go 1.25.0
