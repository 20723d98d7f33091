package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// DefaultBasePort is the port that the others are counted from when nothing else is said.
const DefaultBasePort = 23000

// Config says where a stack lies. The zero value of each field means what its comment says.
type Config struct {
	// BasePort is the port that the others are counted from. 0: STACK_BASE_PORT, or DefaultBasePort.
	BasePort int
	// Cache keeps what was fetched. Empty: STACK_CACHE, or millrace-stack in the user's cache folder.
	Cache string
	// Home holds data, logs and process ids. Empty: STACK_HOME, or a folder for the port in the temporary folder.
	Home string
	// Fresh removes the data of an earlier stack in Home before the first server starts, if none is running.
	Fresh bool
	// Detach lets the servers outlive this process.
	Detach bool
	// Log receives one line for each step. nil: standard error.
	Log io.Writer
}

// resolve fills in what was left at zero.
func (c Config) resolve() (Config, error) {
	if c.BasePort == 0 {
		c.BasePort = DefaultBasePort
		if text := os.Getenv("STACK_BASE_PORT"); text != "" {
			port, err := strconv.Atoi(text)
			if err != nil {
				return c, fmt.Errorf("read STACK_BASE_PORT: %w", err)
			}
			c.BasePort = port
		}
	}
	if c.BasePort < 1024 || c.BasePort > 65000 {
		return c, fmt.Errorf("base port %d is not between 1024 and 65000", c.BasePort)
	}
	if c.Cache == "" {
		c.Cache = os.Getenv("STACK_CACHE")
	}
	if c.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return c, fmt.Errorf("find a cache folder: %w", err)
		}
		c.Cache = filepath.Join(dir, "millrace-stack")
	}
	if c.Home == "" {
		c.Home = os.Getenv("STACK_HOME")
	}
	if c.Home == "" {
		c.Home = filepath.Join(os.TempDir(), "millrace-stack-"+strconv.Itoa(c.BasePort))
	}
	if c.Log == nil {
		c.Log = os.Stderr
	}
	return c, nil
}

// The offsets of the ports from the base.
const (
	kafkaPort = iota + 1
	controllerPort
	connectPort
	registryPort
	postgresPort
	mariadbPort
	searchPort
	searchNodePort
	standbyPort
	loginPort
	storagePort
	securePort
)

// address is the loopback address of the port at offset.
func (c Config) address(offset int) string {
	return "127.0.0.1:" + c.port(offset)
}

func (c Config) port(offset int) string { return strconv.Itoa(c.BasePort + offset) }

func (c Config) path(elements ...string) string {
	return filepath.Join(append([]string{c.Home}, elements...)...)
}
