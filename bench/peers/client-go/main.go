// Command client-go is a shared informer on all Deployments. Each line that it
// reads or writes is a JSON document: it says when it has synced; then, asked
// for a number of events, that it counts, and when it has counted them.
//
//	client-go KUBECONFIG json|protobuf [trim]
//
// KUBE_FEATURE_WatchListClient=false makes it list, as client-go has it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type synced struct {
	Objects    int     `json:"objects"`
	Ms         float64 `json:"ms"`
	CpuMs      float64 `json:"cpuMs"`
	StartCpuMs float64 `json:"startCpuMs"`
	BlockedMs  float64 `json:"blockedMs"`
}

type counting struct {
	Expect int `json:"expect"`
}

type counted struct {
	Events    int     `json:"events"`
	CpuMs     float64 `json:"cpuMs"`
	BlockedMs float64 `json:"blockedMs"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(libraryVersion(), runtime.Version())
		return
	}
	if len(os.Args) < 3 {
		log.Fatal("usage: client-go KUBECONFIG json|protobuf [trim]")
	}
	config := must(clientcmd.BuildConfigFromFlags("", os.Args[1]))
	setContentType(config, os.Args[2])
	informer := informerOf(config, len(os.Args) > 3 && os.Args[3] == "trim")
	follow(informer)
}

func setContentType(config *rest.Config, name string) {
	config.ContentType = "application/json"
	if name == "protobuf" {
		config.ContentType = "application/vnd.kubernetes.protobuf"
	}
	config.AcceptContentTypes = config.ContentType
}

func informerOf(config *rest.Config, trimmed bool) cache.SharedIndexInformer {
	factory := informers.NewSharedInformerFactory(must(kubernetes.NewForConfig(config)), 0)
	informer := factory.Apps().V1().Deployments().Informer()
	if trimmed {
		check(informer.SetTransform(trim))
	}
	return informer
}

// What the other contestants keep of a Deployment.
func trim(object any) (any, error) {
	whole, ok := object.(*appsv1.Deployment)
	if !ok {
		return object, nil
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       whole.Namespace,
			Name:            whole.Name,
			ResourceVersion: whole.ResourceVersion,
		},
		Spec: appsv1.DeploymentSpec{Replicas: whole.Spec.Replicas},
	}, nil
}

func follow(informer cache.SharedIndexInformer) {
	answers, questions := json.NewEncoder(os.Stdout), json.NewDecoder(os.Stdin)
	events := make(chan struct{}, 1024)
	startCpu, start := cpuMs(), time.Now()
	registration := must(informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) {
			if before.(*appsv1.Deployment).ResourceVersion != after.(*appsv1.Deployment).ResourceVersion {
				events <- struct{}{}
			}
		},
	}))
	go informer.Run(context.Background().Done())
	// WaitForCacheSync looks every 100 ms, which is too coarse to be measured.
	for !registration.HasSynced() {
		time.Sleep(time.Millisecond)
	}
	ms := float64(time.Since(start).Microseconds()) / 1e3
	check(answers.Encode(synced{len(informer.GetStore().ListKeys()), ms, cpuMs() - startCpu, startCpu, 0}))

	var asked counting
	for questions.Decode(&asked) == nil {
		before := cpuMs()
		check(answers.Encode(struct{}{}))
		for range asked.Expect {
			<-events
		}
		check(answers.Encode(counted{asked.Expect, cpuMs() - before, 0}))
	}
}

func libraryVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "k8s.io/client-go" {
				return module.Version
			}
		}
	}
	return "unknown"
}

// User and system time of all threads so far.
func cpuMs() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
