package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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
