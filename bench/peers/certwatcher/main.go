// Command certwatcher is an HTTPS server whose certificate is reloaded by
// controller-runtime's certwatcher, as Kubernetes operators use it. Client
// certificates are verified to a CA that is read once: certwatcher does not
// manage client CAs.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8443", "address to listen on")
	cert := flag.String("cert", "tls.crt", "certificate chain, watched")
	key := flag.String("key", "tls.key", "private key, watched")
	ca := flag.String("ca", "ca.crt", "CA of the client certificates, read once")
	interval := flag.Duration("watch-interval", 10*time.Second, "interval of the poll beside the watch")
	version := flag.Bool("version", false, "print the versions and exit")
	flag.Parse()
	if *version {
		printVersions()
		return
	}
	ctrllog.SetLogger(funcr.New(func(_, line string) { log.Print(line) }, funcr.Options{}))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	watcher, err := certwatcher.New(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	watcher.WithWatchInterval(*interval)
	go func() {
		if err := watcher.Start(ctx); err != nil {
			log.Fatal(err)
		}
	}()

	pem, err := os.ReadFile(*ca)
	if err != nil {
		log.Fatal(err)
	}
	clientCAs := x509.NewCertPool()
	if !clientCAs.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificate in %s", *ca)
	}

	listener, err := tls.Listen("tcp", *listen, &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: watcher.GetCertificate,
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      clientCAs,
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		<-ctx.Done()
		listener.Close()
	}()
	log.Printf("listening on %s", listener.Addr())
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hello\n")
		}),
	}
	if err := server.Serve(listener); ctx.Err() == nil {
		log.Fatal(err)
	}
}

func printVersions() {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "sigs.k8s.io/controller-runtime" {
				fmt.Print(module.Version, " ")
			}
		}
	}
	fmt.Println(runtime.Version())
}
