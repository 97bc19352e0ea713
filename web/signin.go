package web

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"tusq/api/auth"
	"tusq/service"
)

// SignIn configures the console's own authentication.
type SignIn struct {
	Account string // that the form proposes
}

const (
	signInPath  = "/console/signin"
	signOutPath = "/console/signout"
	maxSignIn   = 16 << 10 // bytes of the form
)

type signInView struct {
	Action  string // where the forms go, with the page to go on to
	Refused bool   // this connection is not fit for a password
	Account string
	User    string
	Failure failure
}

// whoView is who is signed in, as every page shows it.
type whoView struct {
	Name    string
	Account string
}

func who(r *http.Request) *whoView {
	caller := auth.Caller(r.Context())
	if caller.Name() == "" {
		return nil
	}
	return &whoView{Name: caller.Name(), Account: caller.Home()}
}

// isOpen tells whether a path is for everybody.
func isOpen(path string) bool {
	return path == signInPath || path == signOutPath || strings.HasPrefix(path, "/console/static/")
}

// isLive tells whether a path is of what pages ask for by themselves, which keeps no session alive.
func isLive(path string) bool { return strings.HasPrefix(path, "/console/live/") }

// recognise returns a request as made for the caller who is signed in. Where there is none it answers
// the request and returns nil.
func (c *console) recognise(w http.ResponseWriter, r *http.Request) *http.Request {
	caller, err := c.svc.CallerOfSession(r.Context(), c.readCookie(r), auth.ClientIP(r.Context()), !isLive(r.URL.Path))
	switch {
	case err == nil:
		return auth.Identify(r, caller)
	case service.ErrorCode(err) == service.CodeForbidden: // a key, from a network that it may not be used from
		c.askToSignIn(w, r)
	default:
		c.fail(w, r, err)
	}
	return nil
}

// askToSignIn sends a browser to the form, which leads back to the page that was asked for.
func (c *console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	back := ""
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		back = r.URL.RequestURI()
	}
	if r.Header.Get("HX-Request") == "true" { // a part of a page asks: the page is to go, not the part
		back = ""
		if page, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			back = page.RequestURI()
		}
		w.Header().Set("HX-Redirect", signInURL(back))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, signInURL(back), http.StatusSeeOther)
}

// signInURL is the form's address; back is the page to go on to.
func signInURL(back string) string {
	if back = safeNext(back); back == listPath {
		back = ""
	}
	return withQuery(signInPath, "next", back)
}

// safeNext returns an address to go on to after signing in: that of one of the console's own pages, or
// else of the list. A link that somebody else has made cannot lead anywhere else.
func safeNext(next string) string {
	address, err := url.Parse(next)
	if err != nil || address.Scheme != "" || address.Host != "" || address.User != nil || address.Opaque != "" ||
		!strings.HasPrefix(next, "/console/") || path.Clean(address.Path) != address.Path ||
		isOpen(address.Path) || isLive(address.Path) {
		return listPath
	}
	return (&url.URL{Path: address.Path, RawPath: address.RawPath, RawQuery: address.RawQuery}).String()
}

// signInForm shows the form, or the page that was asked for where somebody is signed in.
func (c *console) signInForm(w http.ResponseWriter, r *http.Request) error {
	next := r.URL.Query().Get("next")
	if token := c.readCookie(r); token != "" {
		if _, err := c.svc.CallerOfSession(r.Context(), token, auth.ClientIP(r.Context()), true); err == nil {
			http.Redirect(w, r, safeNext(next), http.StatusSeeOther)
			return nil
		}
	}
	form := signInView{Action: signInURL(next), Account: c.signIn.Account, Refused: !c.isFit(r)}
	return c.render(w, r, view{Template: "signin", Title: "Sign in", Page: form})
}

// beginSession signs somebody in. A session that the browser had ends.
func (c *console) beginSession(w http.ResponseWriter, r *http.Request) error {
	next := r.URL.Query().Get("next")
	if !c.isFit(r) {
		return service.Errorf(service.CodeForbidden, "This connection is not encrypted: nothing was looked at. Change the password or revoke the key.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	if err := readForm(r); err != nil {
		return err
	}
	form := signInView{Action: signInURL(next), Account: r.PostFormValue("account"), User: r.PostFormValue("user")}
	token, err := c.svc.SignIn(r.Context(), service.SignIn{
		Token:   strings.TrimSpace(r.PostFormValue("key")),
		Account: form.Account, User: form.User, Password: r.PostFormValue("password"),
		From: auth.ClientIP(r.Context()),
	})
	if err != nil {
		form.Failure = formFailure(err)
		return c.refill(w, r, err, view{Template: "signin", Title: "Sign in", Page: form})
	}
	if old := c.readCookie(r); old != "" {
		_ = c.endSession(r, old) // or it ends unused
	}
	http.SetCookie(w, c.newCookie(r, token))
	http.Redirect(w, r, safeNext(next), http.StatusSeeOther)
	return nil
}

// signOut ends the session.
func (c *console) signOut(w http.ResponseWriter, r *http.Request) error {
	if token := c.readCookie(r); token != "" {
		if err := c.endSession(r, token); err != nil {
			return err
		}
	}
	gone := c.newCookie(r, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, signInPath, http.StatusSeeOther)
	return nil
}

func (c *console) endSession(r *http.Request, token string) error {
	caller, err := c.svc.CallerOfSession(r.Context(), token, auth.ClientIP(r.Context()), false)
	if service.ErrorCode(err) == service.CodeUnauthenticated {
		return nil // it has ended by itself
	}
	return c.svc.SignOut(r.Context(), caller, token)
}

// The names of the session's cookie. Browsers take one with the prefix only over HTTPS, from this very host and
// for all its paths, and so no other host of its domain can set it.
const (
	secureCookie = "__Host-tusq"
	plainCookie  = "tusq" // over plain HTTP, which is for this machine alone
)

func (c *console) newCookie(r *http.Request, token string) *http.Cookie {
	cookie := &http.Cookie{Name: plainCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if c.isSecure(r) {
		cookie.Name, cookie.Secure = secureCookie, true
	}
	return cookie
}

// readCookie returns the token of the browser's session, "" where it has none.
func (c *console) readCookie(r *http.Request) string {
	name := plainCookie
	if c.isSecure(r) {
		name = secureCookie
	}
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}
