package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"os"
	"slices"
	"syscall"
	"unsafe"
)

// Sighting is the first connection of a row that was served another leaf than
// the one before it.
type Sighting struct {
	Sha256  string `json:"sha256"`
	StartNs int64  `json:"startNs"`
	EndNs   int64  `json:"endNs"`
	// How many connections the row before it had.
	Previous int `json:"previous"`
}

func (c client) probe(ended func() bool) Totals {
	var totals Totals
	var shown [sha256.Size]byte
	var durations []int64
	row := 0
	for !ended() {
		start := monotonicNs()
		connection, err := c.connect()
		end := monotonicNs()
		if err == nil {
			leaf := sha256.Sum256(connection.state().PeerCertificates[0].Raw)
			totals.Connections++
			durations = append(durations, end-start)
			if leaf != shown {
				printLine(Sighting{hex.EncodeToString(leaf[:]), start, end, row})
				shown, row = leaf, 0
			}
			row++
			_, err = connection.get(true)
			connection.close()
			totals.Requests++
		}
		if err != nil {
			totals.fail(err)
		}
	}
	if len(durations) > 0 {
		slices.Sort(durations)
		totals.HandshakeMs = float64(durations[len(durations)/2]) / 1e6
	}
	return totals
}

// The clock of process.hrtime() too, so that both ends of a measurement agree.
func monotonicNs() int64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		log.Fatal(errno)
	}
	return now.Nano()
}

func stdinEnds() func() bool {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	return func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
}
