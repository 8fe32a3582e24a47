// Package v1beta3 stands in for an API that the reference registers and this program never uses.
package v1beta3

import "k8s.io/apimachinery/pkg/runtime"

// CloudStackMachineTemplate has no fields here.
type CloudStackMachineTemplate struct{}

// AddToScheme registers nothing.
func AddToScheme(*runtime.Scheme) error { return nil }
