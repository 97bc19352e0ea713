package cluster

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oasdiff/yaml"
)

// composition is what the tests look at in docker-compose.yml.
type composition struct {
	Services map[string]struct {
		Ports       []string
		Environment map[string]string
		Networks    map[string]struct {
			Address string `json:"ipv4_address"`
		}
	}
}

func readComposition(t *testing.T) (c composition) {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := yaml.Unmarshal(text, &c, yaml.DecodeOpts{}); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return c
}

// insisted finds variables without which docker compose does not start.
var insisted = regexp.MustCompile(`\$\{(\w+):\?[^}]*\}`)

// composeEnvironment is the environment of a replica, with the values of .env.
func composeEnvironment(t *testing.T, values map[string]string) (environment []string) {
	t.Helper()
	of := readComposition(t).Services["replica1"].Environment
	for _, name := range slices.Sorted(maps.Keys(of)) {
		value := insisted.ReplaceAllStringFunc(of[name], func(found string) string {
			return values[insisted.FindStringSubmatch(found)[1]]
		})
		if value == "" || strings.Contains(value, "$") {
			t.Fatalf("%s of a replica is %q", name, value)
		}
		environment = append(environment, name+"="+value)
	}
	return environment
}

// TestCompose checks what no replica tells: docker compose starts nothing without secrets, is
// reachable from this machine alone, and says nothing that tusq does not listen to.
func TestCompose(t *testing.T) {
	t.Parallel()
	composition := readComposition(t)
	help, err := exec.CommandContext(t.Context(), binary, "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	known := string(help) + "$TUSQ_MASTER_KEY $TUSQ_BOOTSTRAP_KEY"
	for _, name := range []string{"migrate", "replica1", "replica2", "replica3"} {
		environment := composition.Services[name].Environment
		for variable, value := range environment {
			if !strings.Contains(known, "$"+variable) {
				t.Errorf("%s: tusq knows no %s", name, variable)
			}
			secret := strings.Contains(variable, "KEY") || strings.Contains(variable, "DATABASE")
			if secret && !insisted.MatchString(value) {
				t.Errorf("%s: %s has a value of its own: %s", name, variable, value)
			}
		}
		proxy := composition.Services["loadbalancer"].Networks["default"].Address
		if environment["TUSQ_AUTH"] != "on" || environment["TUSQ_TRUSTED_PROXIES"] != proxy+"/32" {
			t.Errorf("%s: authentication is %q, and %q are trusted", name, environment["TUSQ_AUTH"], environment["TUSQ_TRUSTED_PROXIES"])
		}
	}
	if password := composition.Services["postgres"].Environment["POSTGRES_PASSWORD"]; !insisted.MatchString(password) {
		t.Errorf("the database's password is %q", password)
	}
	for name, service := range composition.Services {
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is published at %s", name, port)
			}
		}
	}
}
