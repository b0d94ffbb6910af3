package cmd

import (
	"io"

	"faultlab/labs"
)

// jsonFormat prints the one object of results.json, or of summary.json, and nothing else.
var jsonFormat = format{
	name: "json", alone: true,
	run: func(w io.Writer, _ screen, r shown) error { return writeJSON(w, r.run.Results()) },
	set: func(w io.Writer, _ screen, r shownSet) error { return writeJSON(w, r.set) },
}

func writeJSON(w io.Writer, v any) error {
	text, err := labs.JSON(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}
