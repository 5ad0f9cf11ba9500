// Command load makes mTLS connections to 127.0.0.1 and counts what became of
// them. Every connection is TLS 1.3, offers X25519 alone and carries at least
// one GET, because only an answer shows that the server took the client's
// certificate. Nothing is ever tried again.
//
//	load full|resumed  for a time, one GET on each connection; prints totals
//	load probe         one connection after the other until stdin ends; prints
//	                   a line whenever another leaf is served
//	load mixed         clients that keep their connections and clients that do
//	                   not, until stdin ends; prints totals
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"sync"
	"time"
)

// Totals is the last line of every mode.
type Totals struct {
	Connections int            `json:"connections"`
	Resumed     int            `json:"resumed"`
	Requests    int            `json:"requests"`
	Failed      int            `json:"failed"`
	Errors      map[string]int `json:"errors"`
	Seconds     float64        `json:"seconds"`
	// probe: the median of all handshakes.
	HandshakeMs float64 `json:"handshakeMs,omitempty"`
}

func (t *Totals) fail(err error) {
	t.Failed++
	if t.Errors == nil {
		t.Errors = map[string]int{}
	}
	t.Errors[err.Error()]++
}

func main() {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	port := flags.Int("port", 0, "port on 127.0.0.1")
	identity := flags.String("identity", ".", "folder of the client's tls.crt, tls.key and ca.crt")
	workers := flags.Int("workers", 1, "connections at a time")
	keeping := flags.Int("keeping", 0, "mixed: how many of the workers keep their connections")
	seconds := flags.Float64("seconds", 1, "full, resumed: how long")
	pause := flags.Duration("pause", 0, "mixed: between two requests of a worker")
	if len(os.Args) < 2 {
		log.Fatal("which mode: full, resumed, probe or mixed")
	}
	mode := os.Args[1]
	flags.Parse(os.Args[2:])
	if mode == "version" {
		fmt.Println(runtime.Version())
		return
	}

	client := newClient(*port, *identity)
	deadline := time.Now().Add(time.Duration(*seconds * float64(time.Second)))
	began := time.Now()
	var totals Totals
	switch mode {
	case "full", "resumed":
		totals = inParallel(*workers, func(int) Totals {
			own := client
			if mode == "resumed" {
				own = client.withTickets()
			}
			return own.connectUntil(func() bool { return time.Now().After(deadline) })
		})
	case "probe":
		totals = client.probe(stdinEnds())
	case "mixed":
		ended := stdinEnds()
		totals = inParallel(*workers, func(index int) Totals {
			return client.converse(index < *keeping, *pause, ended)
		})
	default:
		log.Fatalf("no mode %q", mode)
	}
	totals.Seconds = time.Since(began).Seconds()
	printLine(totals)
}

func inParallel(workers int, work func(index int) Totals) Totals {
	results := make([]Totals, workers)
	var group sync.WaitGroup
	for index := range results {
		group.Go(func() { results[index] = work(index) })
	}
	group.Wait()
	sum := Totals{Errors: map[string]int{}}
	for _, each := range results {
		sum.Connections += each.Connections
		sum.Resumed += each.Resumed
		sum.Requests += each.Requests
		sum.Failed += each.Failed
		for message, count := range each.Errors {
			sum.Errors[message] += count
		}
	}
	return sum
}

func printLine(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}
