// Command go-mtls is the smallest TLS 1.3 mTLS server of net/http: files read
// once, session tickets left on as Go has them. It is the baseline that full
// handshakes are compared with, and without TLS the backend of a proxy.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8443", "address to listen on")
	cert := flag.String("cert", "tls.crt", "certificate chain")
	key := flag.String("key", "tls.key", "private key")
	ca := flag.String("ca", "ca.crt", "CA of the client certificates")
	plaintext := flag.Bool("plaintext", false, "serve without TLS")
	version := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *version {
		fmt.Println(runtime.Version())
		return
	}

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	if !*plaintext {
		listener = tls.NewListener(listener, mutualTLS(*cert, *key, *ca))
	}
	log.Printf("listening on %s", listener.Addr())
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hello\n")
		}),
	}
	log.Fatal(server.Serve(listener))
}

func mutualTLS(cert, key, ca string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		log.Fatal(err)
	}
	clientCAs := x509.NewCertPool()
	if !clientCAs.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificate in %s", ca)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clientCAs,
	}
}
