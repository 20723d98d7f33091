package coord

import (
	"testing"

	"millrace/repr"
)

// TestStartup has the settings of a startup message: those that are known count, wrong values are refused, what only
// PostgreSQL knows is left alone.
func TestStartup(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	tests := []struct {
		opts SessionOptions
		code string
	}{
		{SessionOptions{User: "u"}, ""},
		{SessionOptions{User: "u", Database: DefaultDatabase, Settings: map[string]string{"application_name": "app", "jit": "off", "server_version": "9"}}, ""},
		{SessionOptions{User: "u", Database: "other"}, "3D000"},
		{SessionOptions{User: "u", Settings: map[string]string{"client_encoding": "LATIN1"}}, repr.CodeInvalidParameter},
		{SessionOptions{User: "u", Settings: map[string]string{"TimeZone": "Mars"}}, repr.CodeInvalidParameter},
	}
	for _, tt := range tests {
		s, err := c.NewSession(tt.opts)
		if tt.code != "" {
			if err == nil || err.Code != tt.code {
				t.Errorf("%+v: %v, want %s", tt.opts, err, tt.code)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", tt.opts, err)
			continue
		}
		reported := s.Settings()
		if reported["application_name"] != tt.opts.Settings["application_name"] || reported["session_authorization"] != "u" ||
			reported["server_version"] != serverVersion {
			t.Errorf("reported: %v", reported)
		}
		s.Close()
	}
}
