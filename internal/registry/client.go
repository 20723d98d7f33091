package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/internal/clock"
	"millrace/internal/dial"
)

const (
	defaultTimeout = 5 * time.Second
	maxAnswer      = 8 << 20
	maxCached      = 1 << 14
	// missingFor is how long an id that the registry does not know is not asked for again, so that a topic
	// full of garbage does not become a flood of requests.
	missingFor  = 5 * time.Second
	contentType = "application/vnd.schemaregistry.v1+json"
)

// Errors that a caller tells apart.
var (
	// ErrUnreachable says that there was no answer, or an answer that a retry may mend.
	ErrUnreachable = errors.New("schema registry is unreachable")
	// ErrNotFound says that the registry does not have the subject or the id.
	ErrNotFound = errors.New("not found in the schema registry")
	// ErrDenied says that the registry wants other credentials.
	ErrDenied = errors.New("schema registry denies access")
)

// Options say where the registry is and how to reach it.
type Options struct {
	URL      string
	User     string // for basic authentication; none when empty
	Password string
	Timeout  time.Duration // of one request; 5 s when zero
	TLS      *tls.Config   // of https; the machine's certificates when nil
	Dialer   *dial.Dialer
	Clock    clock.Clock // the machine's when nil
}

// The types of schemas.
const (
	Avro     = "AVRO"
	Protobuf = "PROTOBUF"
)

// Schema is a schema as registered.
type Schema struct {
	ID         int
	Version    int    // 0 when it was asked for by id
	Type       string // Avro when empty
	Text       string
	References []Reference
}

// Reference is a schema that another one imports.
type Reference struct {
	Name    string `json:"name"` // as the import says it
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Is says whether the schema is of a type; the error says what it is instead.
func (s *Schema) Is(kind string) error {
	if is := s.kind(); !strings.EqualFold(is, kind) {
		return fmt.Errorf("schema id %d is a %s schema, not %s", s.ID, is, kind)
	}
	if kind == Avro && len(s.References) > 0 {
		return fmt.Errorf("schema id %d refers to other subjects, which is not supported for Avro", s.ID)
	}
	return nil
}

func (s *Schema) kind() string {
	if s.Type == "" {
		return Avro
	}
	return s.Type
}

// Client asks one registry. It is safe for concurrent use.
type Client struct {
	base  string // without a trailing slash, without credentials
	opts  Options
	http  *http.Client
	clock clock.Clock

	mu      sync.Mutex // guards byID and missing
	byID    map[int]Schema
	missing map[int]time.Time // ids that were not found, and until when that is believed
}

// New makes a client; it does not connect yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("schema registry URL %q: want http://host:port or https://host:port", o.URL)
	}
	if u.User != nil && o.User == "" {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	u.User = nil
	if o.Timeout <= 0 || o.Timeout > defaultTimeout {
		o.Timeout = defaultTimeout
	}
	c := &Client{base: strings.TrimRight(u.String(), "/"), opts: o, clock: o.Clock,
		byID: map[int]Schema{}, missing: map[int]time.Time{}}
	if c.clock == nil {
		c.clock = clock.System{}
	}
	c.http = &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{DialContext: o.Dialer.DialContext, MaxIdleConnsPerHost: 2,
			IdleConnTimeout: 30 * time.Second, Proxy: nil, TLSHandshakeTimeout: o.Timeout, TLSClientConfig: o.TLS},
	}
	return c, nil
}

// URL is where the registry is, without credentials.
func (c *Client) URL() string { return c.base }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Check asks whether a registry answers at the URL.
func (c *Client) Check(ctx context.Context) error {
	var subjects []string
	return c.call(ctx, call{method: http.MethodGet, path: "/subjects", what: "list of subjects"}, &subjects)
}

// ByID is the schema with an id.
func (c *Client) ByID(ctx context.Context, id int) (Schema, error) {
	if s, err, known := c.cached(id); known {
		return s, err
	}
	var answer schemaAnswer
	what := fmt.Sprintf("schema id %d", id)
	err := c.call(ctx, call{method: http.MethodGet, path: fmt.Sprintf("/schemas/ids/%d", id), what: what}, &answer)
	if errors.Is(err, ErrNotFound) {
		c.mu.Lock()
		if len(c.missing) >= maxCached {
			clear(c.missing)
		}
		c.missing[id] = c.clock.Now().Add(missingFor)
		c.mu.Unlock()
	}
	if err != nil {
		return Schema{}, err
	}
	if err := answer.check(what); err != nil {
		return Schema{}, err
	}
	s := Schema{ID: id, Type: answer.SchemaType, Text: answer.Schema, References: answer.References}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byID) >= maxCached {
		clear(c.byID)
	}
	c.byID[id] = s
	return s, nil
}

func (c *Client) cached(id int) (s Schema, err error, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.byID[id]; ok {
		return s, nil, true
	}
	until, ok := c.missing[id]
	if !ok {
		return Schema{}, nil, false
	}
	if c.clock.Now().After(until) {
		delete(c.missing, id)
		return Schema{}, nil, false
	}
	return Schema{}, c.notFound(fmt.Sprintf("schema id %d", id)), true
}

// Latest is the newest schema of a subject.
func (c *Client) Latest(ctx context.Context, subject string) (Schema, error) {
	return c.version(ctx, subject, "latest")
}

// maxImports bounds how many schemas one imports, over all steps.
const maxImports = 64

// Imports are the texts of the schemas that one refers to, also by way of others, by the names of the imports.
func (c *Client) Imports(ctx context.Context, s *Schema) (map[string]string, error) {
	texts := map[string]string{}
	todo := s.References
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		if _, ok := texts[r.Name]; ok {
			continue
		}
		if len(texts) == maxImports {
			return nil, fmt.Errorf("schema id %d imports more than %d others", s.ID, maxImports)
		}
		one, err := c.version(ctx, r.Subject, strconv.Itoa(r.Version))
		if err != nil {
			return nil, err
		}
		texts[r.Name] = one.Text
		todo = append(todo, one.References...)
	}
	return texts, nil
}

func (c *Client) version(ctx context.Context, subject, version string) (Schema, error) {
	var answer schemaAnswer
	what := fmt.Sprintf("subject %q", subject)
	path := "/subjects/" + url.PathEscape(subject) + "/versions/" + version
	if err := c.call(ctx, call{method: http.MethodGet, path: path, what: what}, &answer); err != nil {
		return Schema{}, err
	}
	if err := answer.check(what); err != nil {
		return Schema{}, err
	}
	return Schema{ID: answer.ID, Version: answer.Version, Type: answer.SchemaType, Text: answer.Schema, References: answer.References}, nil
}

// Register makes an Avro schema known under a subject and returns its id; the same schema keeps its id.
func (c *Client) Register(ctx context.Context, subject, schema string) (int, error) {
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		return 0, fmt.Errorf("write schema of subject %q: %w", subject, err)
	}
	var answer struct {
		ID int `json:"id"`
	}
	path := "/subjects/" + url.PathEscape(subject) + "/versions"
	what := fmt.Sprintf("register subject %q", subject)
	if err := c.call(ctx, call{method: http.MethodPost, path: path, what: what, body: body}, &answer); err != nil {
		return 0, err
	}
	return answer.ID, nil
}

type schemaAnswer struct {
	ID         int         `json:"id"`
	Version    int         `json:"version"`
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType"`
	References []Reference `json:"references"`
}

func (a *schemaAnswer) check(what string) error {
	if a.Schema == "" {
		return fmt.Errorf("%s: the registry's answer has no schema", what)
	}
	return nil
}

type call struct {
	method string
	path   string
	what   string // what is asked for, for errors
	body   []byte
}

func (c *Client) call(ctx context.Context, q call, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return fmt.Errorf("%s: %w", q.what, err)
	}
	req.Header.Set("Accept", contentType+", application/json")
	if q.body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.opts.User != "" {
		req.SetBasicAuth(c.opts.User, c.opts.Password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %s at %s: %w", ErrUnreachable, q.what, c.base, rootOf(err))
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%w: %s at %s: %w", ErrUnreachable, q.what, c.base, rootOf(err))
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%s at %s: the answer is larger than %d bytes", q.what, c.base, maxAnswer)
	}
	if resp.StatusCode/100 != 2 {
		return c.statusError(q.what, resp.StatusCode, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s at %s: the answer is no JSON of a schema registry: %w", q.what, c.base, err)
	}
	return nil
}

func (c *Client) notFound(what string) error {
	return fmt.Errorf("%s: %w at %s", what, ErrNotFound, c.base)
}

func (c *Client) statusError(what string, status int, text []byte) error {
	var e struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	isRegistry := json.Unmarshal(text, &e) == nil && e.Code != 0
	switch {
	case status == http.StatusNotFound && isRegistry:
		return c.notFound(what)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%s: %w at %s (status %d)", what, ErrDenied, c.base, status)
	case status >= 500 || status == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %s at %s: status %d %s", ErrUnreachable, what, c.base, status, cut(e.Message))
	case isRegistry:
		return fmt.Errorf("%s at %s: status %d: %s", what, c.base, status, cut(e.Message))
	default:
		return fmt.Errorf("%s at %s: status %d, and the answer is not of a schema registry", what, c.base, status)
	}
}

func cut(s string) string {
	if len(s) > 500 {
		return s[:500] + "…"
	}
	return s
}

// rootOf drops the method and the URL that net/http puts before what went wrong.
func rootOf(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
