// Package v1alpha2 stands in for an API that is registered and, with a vCenter as the infrastructure, never used.
package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// StoragePolicyUsage has no fields of its own here.
type StoragePolicyUsage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// DeepCopyObject copies it.
func (s *StoragePolicyUsage) DeepCopyObject() runtime.Object { c := *s; return &c }

// AddToScheme registers nothing.
func AddToScheme(*runtime.Scheme) error { return nil }
