package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// clientTLSFlags are whom the client commands trust, and what they show.
type clientTLSFlags struct {
	CAFile     string `name:"ca-file" help:"File of CAs, in PEM, to trust instead of the system's." env:"TUSQ_CA_FILE" placeholder:"FILE" type:"path"`
	ClientCert string `name:"client-cert" help:"File of the certificate to show to a server that asks for one." env:"TUSQ_CLIENT_CERT" placeholder:"FILE" type:"path"`
	ClientKey  string `name:"client-key" help:"File of its key." env:"TUSQ_CLIENT_KEY" placeholder:"FILE" type:"path"`
}

// config returns the configuration that the flags ask for, or nil for the default one.
func (f *clientTLSFlags) config() (*tls.Config, error) {
	if *f == (clientTLSFlags{}) {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if (f.ClientCert == "") != (f.ClientKey == "") {
		return nil, errors.New("--client-cert and --client-key belong together")
	}
	if f.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("--client-cert and --client-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if f.CAFile == "" {
		return config, nil
	}
	text, err := os.ReadFile(f.CAFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New("--ca-file: there is no certificate in the file")
	}
	return config, nil
}
