// Command generate writes openapi.json from the annotations in api/rest: swag reads
// them as Swagger 2.0, kin-openapi converts that to OpenAPI 3, and what Swagger 2.0
// cannot say is added here. It needs no network, and its output depends on the
// annotations alone.
//
//	go generate ./openapi              # writes openapi/openapi.json
//	go run ./openapi/generate --check  # fails if that file is out of date
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/swaggo/swag"
)

func main() {
	check := flag.Bool("check", false, "compare with the file instead of writing it")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	made, err := generate(filepath.Join(root, "api", "rest"))
	if err != nil {
		return err
	}
	target := filepath.Join(root, "openapi", "openapi.json")
	if !check {
		return os.WriteFile(target, made, 0o644)
	}
	current, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	if !bytes.Equal(made, current) {
		return fmt.Errorf("openapi/openapi.json is out of date: run go generate ./openapi")
	}
	return nil
}

// moduleRoot returns the directory of go.mod.
func moduleRoot() (string, error) {
	path, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(path))), nil
}

// generate makes the specification of the package in directory.
func generate(directory string) ([]byte, error) {
	swagger, err := parse(directory)
	if err != nil {
		return nil, err
	}
	spec, err := openapi2conv.ToV3(swagger)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	if err := complete(spec); err != nil {
		return nil, err
	}
	return encode(spec)
}

// parse reads the annotations.
func parse(directory string) (*openapi2.T, error) {
	parser := swag.New(
		swag.SetDebugger(log.New(io.Discard, "", 0)),
		swag.SetUseStructName(true),
		swag.SetStrict(true),
	)
	if err := parser.ParseAPI(directory, "doc.go", 0); err != nil {
		return nil, fmt.Errorf("read the annotations: %w", err)
	}
	text, err := json.Marshal(parser.GetSwagger())
	if err != nil {
		return nil, err
	}
	swagger := new(openapi2.T)
	return swagger, json.Unmarshal(text, swagger)
}

// encode writes a valid specification in a fixed order.
func encode(spec *openapi3.T) ([]byte, error) {
	text, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return nil, err
	}
	loaded, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if err := loaded.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	return append(text, '\n'), nil
}
