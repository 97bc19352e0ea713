package api

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/go-chi/chi/v5"
	swaggerfiles "github.com/swaggo/files/v2"

	"tusq/api/rest"
	"tusq/openapi"
)

// docsPolicy lets the documentation's page load from this server only. Swagger UI
// sets styles from its script and draws its icons from data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed docs
var docsPage embed.FS

// docsAssets says where each of the page's assets comes from.
var docsAssets = map[string]struct {
	files fs.FS
	path  string
}{
	"init.js":              {docsPage, "docs/init.js"},
	"swagger-ui.css":       {swaggerfiles.FS, "swagger-ui.css"},
	"swagger-ui-bundle.js": {swaggerfiles.FS, "swagger-ui-bundle.js"},
	"favicon-32x32.png":    {swaggerfiles.FS, "favicon-32x32.png"},
}

// serveSpecification serves the OpenAPI specification of the REST dialect.
func serveSpecification(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(openapi.JSON)
}

// serveDocs serves the page that shows the specification.
func serveDocs(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", docsPolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.ServeFileFS(w, r, docsPage, "docs/page.html")
}

// serveDocsAsset serves what the page refers to.
func serveDocsAsset(w http.ResponseWriter, r *http.Request) {
	asset, ok := docsAssets[chi.URLParam(r, "asset")]
	if !ok {
		rest.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, r, asset.files, asset.path)
}
