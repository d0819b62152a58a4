//go:build tools

// Package tools pins the InfluxDB server that the tests build and start.
package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
