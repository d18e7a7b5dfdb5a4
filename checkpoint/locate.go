package checkpoint

import (
	"encoding/json"
	"path/filepath"
	"strings"
)

// locate makes paths of a data configuration right for a process that runs
// elsewhere than the training did, which was in dir: a relative one that is not
// here is one from there. Several paths have colons between them.
func locate(data json.RawMessage, dir string) json.RawMessage {
	var values map[string]json.RawMessage
	if dir == "" || json.Unmarshal(data, &values) != nil {
		return data
	}
	for _, key := range []string{"data", "text", "dict"} {
		var path string
		if json.Unmarshal(values[key], &path) != nil || path == "" {
			continue
		}
		parts := strings.Split(path, ":")
		for i, part := range parts {
			if !filepath.IsAbs(part) && !exists(part) {
				parts[i] = filepath.Join(dir, part)
			}
		}
		values[key], _ = json.Marshal(strings.Join(parts, ":"))
	}
	located, err := json.Marshal(values)
	if err != nil {
		return data
	}
	return located
}
