package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// page is an answer as a browser reads it.
type page struct {
	status int
	header http.Header
	body   string
	root   *html.Node
}

func readPage(t *testing.T, w *httptest.ResponseRecorder) *page {
	t.Helper()
	p := &page{status: w.Code, header: w.Header(), body: w.Body.String()}
	checkHeaders(t, p.header)
	if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		return p
	}
	root, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		t.Fatalf("parse page: %v", err)
	}
	p.root = root
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			checkElement(t, p, node)
		}
	}
	return p
}

func checkHeaders(t *testing.T, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":     "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Referrer-Policy":            "no-referrer",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") && header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page's Cache-Control: %q, want no-store", header.Get("Cache-Control"))
	}
}

// checkElement holds an element against the rules for all pages: nothing inline, nothing
// from elsewhere, nothing that was not written in a template, and a label for each input.
func checkElement(t *testing.T, p *page, node *html.Node) {
	t.Helper()
	for _, attribute := range node.Attr {
		if attribute.Key == "style" || strings.HasPrefix(attribute.Key, "on") || strings.HasPrefix(attribute.Key, "hx-on") {
			t.Errorf("<%s> has the inline attribute %s", node.Data, attribute.Key)
		}
	}
	source := value(node, "src")
	switch node.Data {
	case "style", "iframe", "object", "embed", "base", "svg":
		t.Errorf("the page has the element <%s>", node.Data)
	case "script":
		if !strings.HasPrefix(source, "/console/static/") || node.FirstChild != nil {
			t.Errorf("a script of the page is inline or from elsewhere: src %q", source)
		}
	case "img":
		if !strings.HasPrefix(source, "/console/static/") {
			t.Errorf("an image of the page is from elsewhere: src %q", source)
		}
	case "a":
		if href := value(node, "href"); !strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "#") {
			t.Errorf("a link of the page leads elsewhere: %q", href)
		}
	case "input", "textarea":
		labelled := func(n *html.Node) bool { return n.Data == "label" && value(n, "for") == value(node, "id") }
		if len(p.find(labelled)) != 1 {
			t.Errorf("the input %q has %d labels, want 1", value(node, "name"), len(p.find(labelled)))
		}
	}
}

// want checks the status and that the text can be read on the page.
func (p *page) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if p.status != status {
		t.Errorf("status %d, want %d", p.status, status)
	}
	for _, text := range texts {
		if !p.has(text) {
			t.Errorf("the page does not say %q:\n%s", text, p.text())
		}
	}
}

func (p *page) wantRedirect(t *testing.T, location string) {
	t.Helper()
	if p.status != http.StatusSeeOther || p.header.Get("Location") != location {
		t.Fatalf("status %d to %q, want 303 to %q:\n%s", p.status, p.header.Get("Location"), location, p.text())
	}
}

// has tells whether text can be read on the page, white space counted as in the source.
func (p *page) has(text string) bool { return strings.Contains(p.text(), text) }

// text is everything on the page that can be read.
func (p *page) text() string {
	if p.root == nil {
		return p.body
	}
	return textOf(p.root)
}

func textOf(node *html.Node) string {
	var text strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			text.WriteString(child.Data)
		}
	}
	return text.String()
}

// find returns the elements for which match is true.
func (p *page) find(match func(*html.Node) bool) []*html.Node {
	if p.root == nil {
		return nil
	}
	var found []*html.Node
	for node := range p.root.Descendants() {
		if node.Type == html.ElementNode && match(node) {
			found = append(found, node)
		}
	}
	return found
}

// input returns what stands in the input of this name.
func (p *page) input(t *testing.T, name string) string {
	t.Helper()
	found := p.find(func(n *html.Node) bool {
		return (n.Data == "input" || n.Data == "textarea") && value(n, "name") == name
	})
	if len(found) != 1 {
		t.Fatalf("the page has %d inputs named %q, want 1", len(found), name)
	}
	if found[0].Data == "textarea" {
		return textOf(found[0])
	}
	return value(found[0], "value")
}

// invalidInputs returns the names of the inputs that are marked as wrong.
func (p *page) invalidInputs() []string {
	var names []string
	for _, node := range p.find(func(n *html.Node) bool { return value(n, "aria-invalid") == "true" }) {
		names = append(names, value(node, "name"))
	}
	return names
}

// browserText is text as a browser shows it: a NUL is not shown as such.
func browserText(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// texts returns the texts of the elements of a class.
func (p *page) texts(class string) []string {
	var texts []string
	for _, node := range p.find(func(n *html.Node) bool { return hasClass(n, class) }) {
		texts = append(texts, textOf(node))
	}
	return texts
}

// link returns the address of the one link with this text.
func (p *page) link(t *testing.T, text string) string {
	t.Helper()
	found := p.find(func(n *html.Node) bool { return n.Data == "a" && textOf(n) == text })
	if len(found) != 1 {
		t.Fatalf("the page has %d links %q, want 1", len(found), text)
	}
	return value(found[0], "href")
}

// polled returns where the part with this id asks for its next state.
func (p *page) polled(t *testing.T, id string) string {
	t.Helper()
	found := p.find(func(n *html.Node) bool { return value(n, "id") == id && value(n, "hx-trigger") == "every 2s" })
	if len(found) != 1 {
		t.Fatalf("the page has %d polled parts %q, want 1", len(found), id)
	}
	return value(found[0], "hx-get")
}

func hasClass(node *html.Node, class string) bool {
	for _, one := range strings.Fields(value(node, "class")) {
		if one == class {
			return true
		}
	}
	return false
}

func value(node *html.Node, attribute string) string {
	for _, a := range node.Attr {
		if a.Key == attribute {
			return a.Val
		}
	}
	return ""
}
