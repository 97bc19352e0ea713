package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// shared are the templates that every page may use; the rest are pages.
var shared = []string{
	"templates/layout.html", "templates/create_form.html", "templates/send_form.html",
	"templates/rows.html", "templates/counts.html", "templates/attributes.html", "templates/redrive_part.html",
}

var pages = parsePages("queues", "create", "queue", "message", "send", "redrive", "confirm", "error", "signin")

// view is one page to be rendered, in the layout.
type view struct {
	Template string
	Title    string
	Status   int    // 0: 200
	Refresh  string // seconds after which the page loads itself again; empty: never
	Notice   string // what a form that led here has done
	Page     any
	Who      *whoView // who is signed in; nil: nobody, or authentication is off. Set by render
}

func parsePages(names ...string) map[string]*template.Template {
	base := template.Must(template.New("").Funcs(template.FuncMap{
		"asset": assetURL, "queueURL": queueURL,
		"duration": formatDuration, "bytes": formatBytes, "count": formatCount,
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	}).ParseFS(templateFiles, shared...))
	parsed := map[string]*template.Template{"": base}
	for _, name := range names {
		page := template.Must(base.Clone())
		parsed[name] = template.Must(page.ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return parsed
}

// render writes a page. It writes nothing when it returns an error.
func (c *console) render(w http.ResponseWriter, r *http.Request, page view) error {
	if c.signIn != nil {
		page.Who = who(r)
	}
	return write(w, page.Status, pages[page.Template], "layout", page)
}

// renderPart writes a part of a page, for htmx to put in its place.
func (c *console) renderPart(w http.ResponseWriter, name string, data any) error {
	return write(w, http.StatusOK, pages[""], name, data)
}

func write(w http.ResponseWriter, status int, from *template.Template, name string, data any) error {
	var out bytes.Buffer
	if err := from.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if status != 0 {
		w.WriteHeader(status)
	}
	_, _ = out.WriteTo(w) // the reader has gone when this fails
	return nil
}

const listPath = "/console/queues"

// queueURL is the path of a queue's page, or of what lies below it.
func queueURL(name string, below ...string) string {
	path := listPath + "/" + url.PathEscape(name)
	for _, segment := range below {
		path += "/" + url.PathEscape(segment)
	}
	return path
}

// liveURL is where a queue's page asks for its counts.
func liveURL(name string) string { return "/console/live/queues/" + url.PathEscape(name) }

// withQuery adds the values that are not empty to a path.
func withQuery(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
