package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const timeout = 10 * time.Second

// client is one identity and one server.
type client struct {
	address string
	config  *tls.Config
}

func newClient(port int, identity string) client {
	pair, err := tls.LoadX509KeyPair(filepath.Join(identity, "tls.crt"), filepath.Join(identity, "tls.key"))
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(identity, "ca.crt"))
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificate in %s", identity)
	}
	return client{
		address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		config: &tls.Config{
			MinVersion:       tls.VersionTLS13,
			CurvePreferences: []tls.CurveID{tls.X25519},
			Certificates:     []tls.Certificate{pair},
			RootCAs:          roots,
			ServerName:       "localhost",
		},
	}
}

// withTickets is the same client with a memory for session tickets.
func (c client) withTickets() client {
	config := c.config.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	return client{c.address, config}
}

type connection struct {
	tls    *tls.Conn
	reader *bufio.Reader
}

// connect returns when the handshake is done on this side.
func (c client) connect() (*connection, error) {
	raw, err := net.DialTimeout("tcp", c.address, timeout)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", withoutAddress(err))
	}
	raw.SetDeadline(time.Now().Add(timeout))
	conn := tls.Client(raw, c.config)
	if err := conn.Handshake(); err != nil {
		raw.Close()
		return nil, fmt.Errorf("handshake: %w", withoutAddress(err))
	}
	return &connection{conn, bufio.NewReaderSize(conn, 1024)}, nil
}

func (c *connection) state() tls.ConnectionState { return c.tls.ConnectionState() }

func (c *connection) close() { c.tls.Close() }

// get reports whether the server wants no more requests on this connection.
func (c *connection) get(last bool) (bool, error) {
	c.tls.SetDeadline(time.Now().Add(timeout))
	request := "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	if last {
		request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	}
	if _, err := io.WriteString(c.tls, request); err != nil {
		return false, fmt.Errorf("request: %w", withoutAddress(err))
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return false, fmt.Errorf("response: %w", withoutAddress(err))
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return false, fmt.Errorf("body: %w", withoutAddress(err))
	}
	if response.StatusCode != http.StatusOK || string(body) != "hello\n" {
		return false, fmt.Errorf("answer: %s", response.Status)
	}
	return response.Close, nil
}

// An address has a port that no other connection has; errors are counted by
// their text.
func withoutAddress(err error) error {
	if operation, ok := err.(*net.OpError); ok {
		return operation.Err
	}
	return err
}
