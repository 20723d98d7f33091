package s3

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"millrace/internal/clock"
	"millrace/internal/dial"
)

// ErrNotFound says that there is no such object.
var ErrNotFound = errors.New("no such object")

// Error is an answer that is not what was asked for.
type Error struct {
	Status  int
	Code    string // in the words of S3: AccessDenied, NoSuchBucket
	Message string
}

// Error is the answer in words.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Options say where a bucket is and who asks.
type Options struct {
	Endpoint  string // such as http://127.0.0.1:9000; that of AWS for the region when empty
	Region    string // us-east-1 when empty
	Bucket    string
	AccessKey string // requests are not signed when empty
	SecretKey string
	Dialer    *dial.Dialer
	Clock     clock.Clock // the machine's when nil
}

const (
	requestTimeout = 2 * time.Minute
	maxAnswer      = 64 << 20
	maxObject      = 5 << 30 // what one PUT can bring
	defaultRegion  = "us-east-1"
)

// Client asks for the objects of one bucket; without one it can only try the service.
type Client struct {
	opts Options
	base *url.URL // with the bucket as the first part of the path
	http *http.Client
}

// New makes a client; it does not connect yet.
func New(o Options) (*Client, error) {
	if o.Region == "" {
		o.Region = defaultRegion
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://s3." + o.Region + ".amazonaws.com"
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	base, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("endpoint %q: want http://host:port or https://host", o.Endpoint)
	}
	base.User = nil
	return &Client{opts: o, base: base, http: &http.Client{Timeout: requestTimeout,
		Transport: &http.Transport{DialContext: o.Dialer.DialContext, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second}}}, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Endpoint is the address of the service.
func (c *Client) Endpoint() string { return c.base.String() }

// Place is the bucket in words.
func (c *Client) Place() string { return c.base.String() + "/" + c.opts.Bucket }

// Try finds out whether the service answers and knows the keys. The right to list buckets is not needed for that.
func (c *Client) Try(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodGet, "", nil, nil)
	if told, ok := errors.AsType[*Error](err); ok && told.Code == "AccessDenied" {
		return nil
	}
	return err
}

// Put writes an object, in the place of one of that name.
func (c *Client) Put(ctx context.Context, key string, body []byte) error {
	_, err := c.call(ctx, http.MethodPut, key, nil, body)
	return err
}

// ErrChanged says that an object is not the one that a PutIf was to replace.
var ErrChanged = errors.New("the object was changed meanwhile")

// Untagged is the tag of an object of a service that tells none: it is there, and no condition can name what it holds.
const Untagged = "*"

// tagIn is the tag of the object that an answer is about. A weak one is none: by it no condition is ever met (RFC 9110, If-Match).
func tagIn(answer http.Header) string {
	if tag := answer.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return Untagged
}

// PutIf is Put as long as the object has a tag, or is not there where the tag is empty; it gives the new tag. An Untagged one is replaced
// whatever it holds by now, and a service that does not know such conditions writes in any case. Amazon S3, conditional writes: If-Match
// and If-None-Match.
func (c *Client) PutIf(ctx context.Context, key string, body []byte, tag string) (newTag string, err error) {
	r := &request{method: http.MethodPut, key: key, body: body}
	switch tag {
	case Untagged:
	case "":
		r.extra = http.Header{"If-None-Match": {"*"}}
	default:
		r.extra = http.Header{"If-Match": {tag}}
	}
	_, head, err := c.send(ctx, r)
	told, ok := errors.AsType[*Error](err)
	switch {
	case ok && (told.Status == http.StatusPreconditionFailed || told.Status == http.StatusConflict):
		return "", ErrChanged
	case ok && told.Status == http.StatusNotImplemented && r.extra != nil:
		r.extra = nil
		_, head, err = c.send(ctx, r)
	case tag != "" && errors.Is(err, ErrNotFound):
		return "", ErrChanged
	}
	if err != nil {
		return "", err
	}
	return tagIn(head), nil
}

// Get reads an object.
func (c *Client) Get(ctx context.Context, key string) ([]byte, error) {
	return c.call(ctx, http.MethodGet, key, nil, nil)
}

// GetTag reads an object and its tag; both are empty where there is none.
func (c *Client) GetTag(ctx context.Context, key string) (body []byte, tag string, err error) {
	body, head, err := c.send(ctx, &request{method: http.MethodGet, key: key})
	if err != nil {
		return nil, "", err
	}
	return body, tagIn(head), nil
}

// Delete deletes an object; it is no error when there is none.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.call(ctx, http.MethodDelete, key, nil, nil)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List gives the names of the objects that begin with a prefix, in order, at most max of them.
func (c *Client) List(ctx context.Context, prefix string, most int) ([]string, error) {
	var out []string
	for token := ""; ; {
		query := url.Values{"list-type": {"2"}, "prefix": {prefix}, "max-keys": {fmt.Sprint(min(most-len(out), 1000))}}
		if token != "" {
			query.Set("continuation-token", token)
		}
		text, err := c.call(ctx, http.MethodGet, "", query, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Contents []struct{ Key string }
			Next     string `xml:"NextContinuationToken"`
		}
		if err := xml.Unmarshal(text, &page); err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", c.Place(), err)
		}
		for _, o := range page.Contents {
			out = append(out, o.Key)
		}
		if token = page.Next; token == "" || len(out) >= most {
			return out, nil
		}
	}
}

func (c *Client) call(ctx context.Context, method, key string, query url.Values, body []byte) ([]byte, error) {
	answer, _, err := c.send(ctx, &request{method: method, key: key, query: query, body: body})
	return answer, err
}

// request is what is asked for.
type request struct {
	method, key string // without a key it is about the bucket
	query       url.Values
	body        []byte
	extra       http.Header // beside those that sign it
}

func (c *Client) send(ctx context.Context, r *request) ([]byte, http.Header, error) {
	u := *c.base
	u.Path += "/" + c.opts.Bucket
	if r.key != "" {
		u.Path += "/" + r.key
	}
	u.RawPath, u.RawQuery = escapePath(u.Path), escapeQuery(r.query)
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(req.Header, r.extra)
	c.sign(req, &u, r.body)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // all that counts was read
	most := int64(maxAnswer)
	if r.method == http.MethodGet && r.key != "" {
		most = maxObject
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(answer)) > most {
		err = fmt.Errorf("it is larger than %d bytes", most)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode < 300 {
		return answer, resp.Header, nil
	}
	told := &Error{Status: resp.StatusCode}
	var problem struct{ Code, Message string }
	if xml.Unmarshal(answer, &problem) == nil {
		told.Code, told.Message = problem.Code, problem.Message
	}
	if resp.StatusCode == http.StatusNotFound && told.Code != "NoSuchBucket" {
		return nil, nil, fmt.Errorf("%s: %w", r.key, ErrNotFound)
	}
	return nil, nil, told
}

// sign signs a request: what is sent, when, and to whom.
func (c *Client) sign(req *http.Request, u *url.URL, body []byte) {
	if c.opts.AccessKey == "" {
		return
	}
	now := c.opts.Clock.Now().UTC()
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", hash)
	const signed = "host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{req.Method, u.EscapedPath(), u.RawQuery,
		"host:" + u.Host, "x-amz-content-sha256:" + hash, "x-amz-date:" + stamp, "", signed, hash}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	scope := day + "/" + c.opts.Region + "/s3/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(digest[:])
	key := []byte("AWS4" + c.opts.SecretKey)
	for _, part := range []string{day, c.opts.Region, "s3", "aws4_request", toSign} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.opts.AccessKey+"/"+scope+", SignedHeaders="+signed+
		", Signature="+hex.EncodeToString(key))
}

// escapePath escapes all but the letters, digits and -._~ that stand for themselves, and slashes.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return strings.Join(parts, "/")
}

// escape escapes a value as signatures want it: url.QueryEscape, but for the space.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// escapeQuery writes a query in the order of its names.
func escapeQuery(query url.Values) string { return strings.ReplaceAll(query.Encode(), "+", "%20") }
