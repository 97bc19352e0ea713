// Package version tells what this binary was built from.
package version

import "runtime/debug"

// release is set by the linker for released binaries.
var release string

// String returns the release, or else the revision that the Go toolchain recorded.
func String() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "dev-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "dev"
}
