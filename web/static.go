package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed static
var staticFiles embed.FS

// asset is a static file and the hash of its content.
type asset struct {
	content []byte
	hash    string
}

var assets = loadAssets()

func loadAssets() map[string]asset {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	loaded := make(map[string]asset, len(entries))
	for _, entry := range entries {
		content, err := staticFiles.ReadFile("static/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		loaded[entry.Name()] = asset{content: content, hash: hex.EncodeToString(sum[:8])}
	}
	return loaded
}

// assetURL names a static file by its content too, so that browsers may keep it forever.
func assetURL(name string) string {
	return "/console/static/" + name + "?v=" + assets[name].hash
}

// serveAsset serves a static file. It may be kept forever where its address names
// this content; otherwise (another replica's version) it must be asked for again.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	file, ok := assets[name]
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", `"`+file.hash+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == file.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.content))
}
