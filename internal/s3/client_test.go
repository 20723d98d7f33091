package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/internal/clock"
)

// TestSign holds signatures to the examples that AWS publishes for Signature Version 4.
func TestSign(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Bucket: "examplebucket", AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		Clock: clock.NewFake(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"lifecycle=":          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
		"max-keys=2&prefix=J": "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
	} {
		u := &url.URL{Scheme: "https", Host: "examplebucket.s3.amazonaws.com", Path: "/", RawQuery: query}
		req := httptest.NewRequest(http.MethodGet, u.String(), nil)
		c.sign(req, u, nil)
		if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
			t.Errorf("%s: %s\nwant %s", query, got, want)
		}
	}
}

// TestCalls looks at what is asked for, and at answers.
func TestCalls(t *testing.T) {
	t.Parallel()
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI)
		switch {
		case r.URL.Query().Get("continuation-token") != "":
			_, _ = io.WriteString(w, "<ListBucketResult><Contents><Key>p/c</Key></Contents></ListBucketResult>")
		case r.URL.Query().Has("list-type"):
			_, _ = io.WriteString(w, "<ListBucketResult><Contents><Key>p/a b</Key></Contents><NextContinuationToken>x+/=</NextContinuationToken></ListBucketResult>")
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "none"):
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
		}
	}))
	t.Cleanup(web.Close)
	c, err := New(Options{Endpoint: web.URL + "/", Bucket: "lake"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := errors.Join(c.Put(ctx, "p/day=a%2Fb/ü +.x", []byte("1")), c.Delete(ctx, "p/a")); err != nil {
		t.Error(err)
	}
	if names, err := c.List(ctx, "p/", 10); err != nil || !slices.Equal(names, []string{"p/a b", "p/c"}) {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := c.Get(ctx, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Get(ctx, "secret"); err == nil || err.Error() != "403 AccessDenied: no" {
		t.Errorf("got %v", err)
	}
	want := []string{"PUT /lake/p/day%3Da%252Fb/%C3%BC%20%2B.x", "DELETE /lake/p/a", "GET /lake?list-type=2&max-keys=10&prefix=p%2F",
		"GET /lake?continuation-token=x%2B%2F%3D&list-type=2&max-keys=9&prefix=p%2F", "GET /lake/none", "GET /lake/secret"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q\nwant  %q", asked, want)
	}
	if _, err := New(Options{Endpoint: "ftp://x"}); err == nil {
		t.Error("an endpoint that is none is taken")
	}
}

// shelf is a service with one object, and with what services differ in.
type shelf struct {
	tags     string // how they begin; empty: it tells none
	unknown  bool   // it answers 501 to conditions
	guards   bool   // it goes by conditions; else it passes over them
	body     string
	n        int // how often it was written
	refusals int
}

func (s *shelf) tag() string { return s.tags + strconv.Itoa(s.n) }

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	conditional := match != "" || none != ""
	broken := match != "" && (match != s.tag() || strings.HasPrefix(match, "W/")) || none != "" && s.n > 0
	text, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	case conditional && s.unknown:
		s.refusals++
		w.WriteHeader(http.StatusNotImplemented)
		return
	case broken && s.guards:
		s.refusals++
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	case r.Method == http.MethodGet && s.n == 0:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodPut:
		s.n, s.body = s.n+1, string(text)
	}
	if s.tags != "" {
		w.Header().Set("ETag", s.tag())
	}
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, s.body)
	}
}

// TestConditions: a writer goes on from what it wrote and from what it has read, whatever the service knows of tags and conditions; one
// that knows both keeps a second writer from it.
func TestConditions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service  shelf
		guarded  bool // a writer that has not seen the newest is refused
		refusals int
	}{
		"guards":             {service: shelf{tags: `"t`, guards: true}, guarded: true, refusals: 2},
		"has no tags":        {service: shelf{guards: true}, refusals: 1}, // of the condition that nothing be there
		"has weak tags":      {service: shelf{tags: `W/"t`, guards: true}, refusals: 1},
		"knows no condition": {service: shelf{tags: `"t`, unknown: true}, refusals: 5},
		"knows neither":      {service: shelf{unknown: true}, refusals: 2},
		"passes over them":   {service: shelf{tags: `"t`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(&c.service)
			t.Cleanup(web.Close)
			client, err := New(Options{Endpoint: web.URL, Bucket: "lake"})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if body, tag, err := client.GetTag(ctx, "state"); !errors.Is(err, ErrNotFound) || tag != "" || body != nil {
				t.Fatalf("of nothing it says %q, %q, %v", body, tag, err)
			}
			first, err := client.PutIf(ctx, "state", []byte("1"), "")
			if err != nil {
				t.Fatal(err)
			}
			second, err := client.PutIf(ctx, "state", []byte("2"), first)
			if err != nil {
				t.Fatalf("behind its own write, with tag %q: %v", first, err)
			}
			body, read, err := client.GetTag(ctx, "state")
			if err != nil || string(body) != "2" || read != second {
				t.Fatalf("it reads %q, %q, %v, and wrote 2 with %q", body, read, err, second)
			}
			if _, err := client.PutIf(ctx, "state", []byte("3"), read); err != nil {
				t.Fatalf("behind a read, with tag %q: %v", read, err)
			}
			if _, err := client.PutIf(ctx, "state", []byte("late"), second); errors.Is(err, ErrChanged) != c.guarded || err != nil && !c.guarded {
				t.Errorf("a write of before says %v", err)
			}
			_, err = client.PutIf(ctx, "state", []byte("first"), "")
			if knows := c.service.guards; errors.Is(err, ErrChanged) != knows || err != nil && !knows {
				t.Errorf("a write where nothing is to be says %v", err)
			}
			if c.service.refusals != c.refusals {
				t.Errorf("%d conditions were refused, want %d", c.service.refusals, c.refusals)
			}
		})
	}
}
