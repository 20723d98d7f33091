package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"millrace/internal/dial"
	"millrace/repr"
)

const (
	requestTimeout = 60 * time.Second
	maxAnswer      = 64 << 20
)

// Client speaks to one server.
type Client struct {
	base       string // without a trailing slash, without credentials
	user, pass string
	http       *http.Client
}

// NewClient makes a client; it does not connect yet.
func NewClient(address, user, password string, dialer *dial.Dialer) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "invalid address of a search server: \""+address[strings.LastIndexByte(address, '@')+1:]+"\"").
			WithHint("Write it like http://localhost:9200.")
	}
	if u.User != nil && user == "" {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	u.User = nil
	return &Client{base: strings.TrimRight(u.String(), "/"), user: user, pass: password,
		http: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 2,
			IdleConnTimeout: 30 * time.Second}}}, nil
}

// Ping asks whether a search server answers and lets us in.
func (c *Client) Ping(ctx context.Context) error {
	var hello struct {
		Version struct {
			Number string `json:"number"`
		} `json:"version"`
	}
	err := c.call(ctx, http.MethodGet, "/", nil, &hello)
	if err == nil && hello.Version.Number == "" {
		err = fmt.Errorf("%s is no search server", c.base)
	}
	return err
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// answerError is an answer that is not what was asked for.
type answerError struct {
	status int
	reason string
}

func (e *answerError) Error() string { return fmt.Sprintf("%d %s", e.status, e.reason) }

// is says whether an error is an answer of that status.
func is(err error, status int) bool {
	e, ok := errors.AsType[*answerError](err)
	return ok && e.status == status
}

// call sends a request, with a body in JSON unless it is bytes already, and reads the answer into out unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, body, out any) error {
	text, lines := body.([]byte)
	if body != nil && !lines {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if lines {
		req.Header.Set("Content-Type", "application/x-ndjson")
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.pass)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // all that counts was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	case resp.StatusCode >= 300:
		return &answerError{resp.StatusCode, reasonIn(answer)}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read answer of %s: %w", c.base, err)
	}
	return nil
}

// failure is how the server says what is wrong.
type failure struct {
	Type   string   `json:"type"`
	Reason string   `json:"reason"`
	Cause  *failure `json:"caused_by"`
}

func (f *failure) text() string {
	out := f.Type + ": " + f.Reason
	for cause := f.Cause; cause != nil; cause = cause.Cause {
		out += ": " + cause.Reason
	}
	return out
}

// reasonIn is what an answer says of its failure.
func reasonIn(answer []byte) string {
	var told struct {
		Error failure `json:"error"`
	}
	if json.Unmarshal(answer, &told) == nil && told.Error.Type != "" {
		return told.Error.text()
	}
	return string(answer[:min(len(answer), 200)])
}

// explain puts an error into the words of a user, and says whether retrying is of no use.
func (c *Client) explain(place string, err error) (e *repr.Error, fatal bool) {
	if errors.As(err, &e) {
		return e, true
	}
	answer, ok := errors.AsType[*answerError](err)
	if !ok {
		return repr.NewError(repr.CodeCannotConnect, "cannot reach the search server at "+c.base).WithDetail(err.Error()).
			WithHint("Check the address, and that the server runs."), false
	}
	message := place + ": " + answer.Error()
	switch {
	case answer.status == http.StatusUnauthorized:
		return repr.NewError(repr.CodeInvalidAuthorization, message).WithHint("Check the user and the password of the connection."), false
	case answer.status == http.StatusForbidden && !strings.Contains(answer.reason, "block"): // a block goes away, as of a full disk
		return repr.NewError(repr.CodeInsufficientPrivilege, message).WithHint("Allow the user to make, read and write the index and " + progressIndex + "."), false
	case answer.status == http.StatusTooManyRequests, answer.status == http.StatusForbidden, answer.status >= 500:
		return repr.NewError(repr.CodeConnectionFailure, message).WithHint("It is tried again."), false
	}
	return repr.NewError(repr.CodeInvalidParameter, message).WithHint("When that is mended, drop the sink and create it anew."), true
}

// Problem is an error of Ping as a user sees it.
func (c *Client) Problem(err error) *repr.Error {
	e, _ := c.explain("the search server at "+c.base, err)
	return e
}
