// Command go-spiffe does with go-spiffe what the bench does with @newleaf/spiffe:
// verifies SVIDs, or watches a Workload API. Each line that it reads or writes is
// a JSON document.
//
//	go-spiffe verify
//	go-spiffe watch unix:///run/api.sock
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

func main() {
	log.SetFlags(0)
	answers := json.NewEncoder(os.Stdout)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "--version":
		fmt.Println(libraryVersion(), runtime.Version())
	case len(os.Args) == 2 && os.Args[1] == "verify":
		verify(json.NewDecoder(os.Stdin), answers)
	case len(os.Args) == 3 && os.Args[1] == "watch":
		watch(os.Args[2], answers)
	default:
		log.Fatal("usage: go-spiffe verify | watch ADDRESS")
	}
}

func libraryVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/spiffe/go-spiffe/v2" {
				return module.Version
			}
		}
	}
	return "unknown"
}

// User and system time of all threads so far.
func cpuMs() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e6
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
