package mega_test

import (
	"go/build"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mega-go/mega"

// A floor is a row of the floor plan in CONTRIBUTING.md.
type floor struct {
	aside    bool     // off the list: any package may import it, and it imports none that is on
	packages []string // "data/..." stands for data and what is below it
}

func (f floor) holds(pkg string) bool {
	return slices.ContainsFunc(f.packages, func(p string) bool {
		tree, isTree := strings.CutSuffix(p, "/...")
		return pkg == p || isTree && (pkg == tree || strings.HasPrefix(pkg, tree+"/"))
	})
}

// floorPlan reads the table of CONTRIBUTING.md, from the top floor down.
func floorPlan(t *testing.T) []floor {
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var plan []floor
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+|–) \|([^|]*)\|`).FindAllStringSubmatch(string(text), -1) {
		f := floor{aside: row[1] == "–"}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			f.packages = append(f.packages, name[1])
		}
		plan = append(plan, f)
	}
	return plan
}

// imports returns what each package of the module imports outside the standard
// library, tests left out. The root is called mega, and packages of the module go
// by their folder.
func imports(t *testing.T) map[string][]string {
	graph := make(map[string][]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if base := d.Name(); path != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "docs" || base == "shared") {
			return fs.SkipDir
		}
		p, err := build.ImportDir(path, 0)
		if err != nil {
			if _, none := err.(*build.NoGoError); none {
				return nil
			}
			return err
		}
		name := strings.Replace(filepath.ToSlash(path), ".", "mega", 1)
		graph[name] = nil
		for _, i := range p.Imports {
			if i == module {
				graph[name] = append(graph[name], "mega")
			} else if strings.Contains(strings.Split(i, "/")[0], ".") {
				graph[name] = append(graph[name], strings.TrimPrefix(i, module+"/"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

// TestFloorPlan holds every import against the table: it goes down, or stays in
// its row.
func TestFloorPlan(t *testing.T) {
	plan, graph := floorPlan(t), imports(t)
	if len(plan) < 10 || len(graph) < 20 {
		t.Fatalf("%d floors, %d packages", len(plan), len(graph))
	}
	row := func(pkg string) int {
		return slices.IndexFunc(plan, func(f floor) bool { return f.holds(pkg) })
	}
	for pkg, imported := range graph {
		from := row(pkg)
		if from < 0 {
			t.Errorf("%s is on no floor of CONTRIBUTING.md", pkg)
			continue
		}
		for _, i := range imported {
			switch to := row(i); {
			case to < 0 || plan[to].aside:
			case plan[from].aside:
				t.Errorf("%s, which is aside of the floors, imports %s", pkg, i)
			case to < from:
				t.Errorf("%s imports %s, which stands above it", pkg, i)
			}
		}
	}
	for _, f := range plan {
		for _, p := range f.packages {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(graph)), floor{packages: []string{p}}.holds) {
				t.Errorf("CONTRIBUTING.md lists %s, of which there is no package", p)
			}
		}
	}
}

// TestDeviceWall holds that the kernels are below autograd and tensor, and that
// whoever is above them reads and writes numbers by tensor's functions for the
// host. Package bench measures what the machine can do with probes that are
// kernels.
func TestDeviceWall(t *testing.T) {
	graph := imports(t)
	for pkg, imported := range graph {
		below := slices.Contains([]string{"autograd", "tensor", "bench"}, pkg)
		if !below && slices.Contains(imported, "internal/kernel") {
			t.Errorf("%s imports internal/kernel", pkg)
		}
		if !slices.Contains(imported, "tensor") && !slices.Contains(imported, "autograd") && !slices.Contains(imported, "nn") || pkg == "autograd" {
			continue
		}
		dir := strings.Replace(pkg, "mega", ".", 1)
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				checkHostAccess(t, file)
			}
		}
	}
}

// checkHostAccess reports calls of the methods that give a tensor's storage.
func checkHostAccess(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if call := regexp.MustCompile(`\.(Data\(\)|Row\()`).FindString(line); call != "" {
			t.Errorf("%s:%d: %s reaches into a tensor: above autograd, Host and WriteHost do", file, i+1, call)
		}
	}
}

// TestRootDependencies holds the library free of what only programs need: what
// the root stands on is below it, and of other modules it needs two.
func TestRootDependencies(t *testing.T) {
	graph := imports(t)
	modules := []string{"golang.org/x/sys/", "github.com/klauspost/cpuid/"}
	seen := map[string]bool{}
	var visit func(pkg string)
	visit = func(pkg string) {
		_, ours := graph[pkg]
		known := ours || slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(pkg, m) })
		if strings.HasPrefix(pkg, "checkpoint") || pkg == "internal/progress" || pkg == "internal/picture" || !known {
			t.Errorf("the root depends on %s", pkg)
		}
		if seen[pkg] = true; ours {
			for _, i := range graph[pkg] {
				if !seen[i] {
					visit(i)
				}
			}
		}
	}
	visit("mega")
}
