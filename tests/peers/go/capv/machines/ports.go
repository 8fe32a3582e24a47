package main

import (
	"os"
	"strconv"

	inmemoryserver "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server"
)

// ports lets MIN_PORT be the port of the first workload cluster's API server: control plane endpoints of specs have
// no port, theirs is 6443.
func ports() []inmemoryserver.WorkloadClustersMuxOption {
	first, err := strconv.ParseInt(os.Getenv("MIN_PORT"), 10, 32)
	if err != nil {
		return nil
	}
	n := int32(first)
	return []inmemoryserver.WorkloadClustersMuxOption{
		inmemoryserver.CustomPorts{MinPort: n, MaxPort: n + 99, DebugPort: n + 1000},
	}
}
