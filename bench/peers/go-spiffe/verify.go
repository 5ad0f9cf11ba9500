package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// What is to be verified: the first line.
type material struct {
	TrustDomain string
	Chains      map[string]struct {
		Bundle []byte
		Svids  [][][]byte
	}
	Jwt struct {
		Bundle   json.RawMessage
		Audience string
		Tokens   []string
	}
}

// For how long one way is to be gone: every further line.
type turn struct {
	Way string
	Ms  float64
}

type tally struct {
	Count  int     `json:"count"`
	WallMs float64 `json:"wallMs"`
	CpuMs  float64 `json:"cpuMs"`
}

func verify(requests *json.Decoder, answers *json.Encoder) {
	var what material
	if err := requests.Decode(&what); err != nil {
		log.Fatal(err)
	}
	ways := waysOf(what)
	names := []string{}
	for name := range ways {
		names = append(names, name)
	}
	answers.Encode(map[string]any{"ways": names})
	for {
		var next turn
		if err := requests.Decode(&next); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		answers.Encode(measure(ways[next.Way], time.Duration(next.Ms*float64(time.Millisecond))))
	}
}

func waysOf(what material) map[string]func(int) error {
	domain := must(spiffeid.TrustDomainFromString(what.TrustDomain))
	ways := map[string]func(int) error{}
	for name, chain := range what.Chains {
		bundle := must(x509bundle.ParseRaw(domain, chain.Bundle))
		svids := chain.Svids
		parsed := [][]*x509.Certificate{}
		for _, svid := range svids {
			certificates := []*x509.Certificate{}
			for _, der := range svid {
				certificates = append(certificates, must(x509.ParseCertificate(der)))
			}
			parsed = append(parsed, certificates)
		}
		ways["verify, "+name] = func(i int) error {
			_, _, err := x509svid.Verify(parsed[i%len(parsed)], bundle)
			return err
		}
		ways["parse and verify, "+name] = func(i int) error {
			_, _, err := x509svid.ParseAndVerify(svids[i%len(svids)], bundle)
			return err
		}
		check := tlsconfig.VerifyPeerCertificate(bundle, tlsconfig.AuthorizeMemberOf(domain))
		ways["peer, "+name] = func(i int) error {
			return check(svids[i%len(svids)], nil)
		}
	}
	bundle := must(jwtbundle.Parse(domain, what.Jwt.Bundle))
	audience := []string{what.Jwt.Audience}
	ways["JWT"] = func(i int) error {
		_, err := jwtsvid.ParseAndValidate(what.Jwt.Tokens[i%len(what.Jwt.Tokens)], bundle, audience)
		return err
	}
	return ways
}

func measure(way func(int) error, duration time.Duration) tally {
	begin, cpuBefore := time.Now(), cpuMs()
	for count := 0; ; count++ {
		if elapsed := time.Since(begin); count > 0 && elapsed >= duration {
			return tally{count, float64(elapsed) / float64(time.Millisecond), cpuMs() - cpuBefore}
		}
		if err := way(count); err != nil {
			log.Fatal(err)
		}
	}
}
