package main

import (
	"context"
	"encoding/json"
	"log"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"golang.org/x/sys/unix"
)

// One context in hand: each line that is written.
type arrival struct {
	AtMs    float64 `json:"atMs"`
	Svids   int     `json:"svids"`
	Bundles int     `json:"bundles"`
	CpuMs   float64 `json:"cpuMs"`
}

type watcher struct{ answers *json.Encoder }

func watch(address string, answers *json.Encoder) {
	err := workloadapi.WatchX509Context(context.Background(), watcher{answers}, workloadapi.WithAddr(address))
	log.Fatal(err)
}

func (w watcher) OnX509ContextUpdate(found *workloadapi.X509Context) {
	atMs := monotonicMs()
	w.answers.Encode(arrival{atMs, len(found.SVIDs), found.Bundles.Len(), cpuMs()})
}

func (w watcher) OnX509ContextWatchError(err error) {
	log.Print(err)
}

// The clock that all processes of a machine share.
func monotonicMs() float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		log.Fatal(err)
	}
	return float64(now.Nano()) / 1e6
}
