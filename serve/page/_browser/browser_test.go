// Package browser uses the page as a person would, in Chromium, on a real mega serve.
// It is a module of its own, so that mega depends on neither.
//
//	cd serve/page/_browser && go test .
//
// SCREENSHOTS=DIR keeps a picture of each panel, light and dark, narrow and wide.
package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A visitor is a person at the page.
type visitor struct {
	*testing.T
	ctx context.Context
}

// visit opens a panel of the page. When the test ends, the console must be empty.
func visit(t *testing.T, panel string) *visitor {
	t.Helper()
	ctx, stop := chromedp.NewContext(server.browser) // a tab
	t.Cleanup(stop)
	v := &visitor{T: t, ctx: ctx}
	v.do(chromedp.EmulateViewport(1280, 900))
	messages := chromedp.Console(ctx)
	v.do(chromedp.Navigate(server.url+"/#"+panel), chromedp.WaitVisible(chromedp.CSS("#"+panel)))
	t.Cleanup(func() {
		stop()
		for m, err := range messages {
			if err != nil {
				break
			}
			t.Errorf("the console says %s (%s)", m, m.URL)
		}
	})
	return v
}

func (v *visitor) do(actions ...chromedp.Action[chromedp.Void]) {
	v.Helper()
	if err := chromedp.Do(v.ctx, actions...); err != nil {
		v.Fatal(err)
	}
}

// value returns what an expression gives.
func value[T any](v *visitor, expression string) T {
	v.Helper()
	out, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		v.Fatalf("%s: %v", expression, err)
	}
	return out
}

// wait waits until an expression is true.
func (v *visitor) wait(expression string) {
	v.Helper()
	_, err := chromedp.Run(v.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		v.Fatalf("%s: %v; the page says %q", expression, err, value[string](v, `document.getElementById("trouble").textContent`))
	}
}

// script runs an expression.
func script(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](expression)
}

// emulate makes the window light or dark.
func emulate(scheme string) chromedp.Action[chromedp.Void] {
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	})
}

func (v *visitor) text(selector string) string {
	v.Helper()
	return value[string](v, fmt.Sprintf("document.querySelector(%q).textContent", selector))
}

// model chooses a model of the panel, if there is a choice.
func (v *visitor) model(panel, id string) {
	v.Helper()
	v.do(chromedp.WaitVisible(chromedp.CSS("#"+panel+"-model")),
		script(fmt.Sprintf(`{ const s = document.getElementById("%s-model"); s.value = %q; s.onchange(); }`, panel, id)))
}

func TestWrite(t *testing.T) {
	v := visit(t, "write")
	const prompt = "func (r *Reader) "
	v.do(chromedp.SendKeys(chromedp.CSS("#prompt"), prompt), chromedp.Click(chromedp.CSS("#write-go")))
	v.wait(`!document.getElementById("write-more").disabled`)
	tokens := `write.cells.map(c => c.text).join("")`
	first := value[string](v, tokens)
	if !strings.HasPrefix(first, prompt) || len(first) < len(prompt)+100 {
		t.Fatalf("it wrote %q", first)
	}
	if p := value[float64](v, `write.cells.reduce((p, c) => Math.max(p, c.logprob), -9)`); p > 0 || p < -0.1 {
		t.Errorf("the likeliest token has the logarithm %g", p)
	}

	// By keyboard: to the fourth token, to its alternatives, on from the first other one.
	v.do(chromedp.Focus(chromedp.CSS("#tokens")), chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.ArrowRight+kb.ArrowRight+kb.ArrowRight))
	if on := v.text("#tokens .on"); on != "c" {
		t.Fatalf("the chosen token is %q, want c of func", on)
	}
	v.do(script(`document.getElementById("tokens").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}))`)) // chromedp's would press the button too
	chosen := value[string](v, `document.activeElement.querySelector(".name").textContent`)
	if chosen == "" || chosen == "c" {
		t.Fatalf("the alternative is %q", chosen)
	}
	v.do(chromedp.KeyEvent(kb.Enter))
	v.wait(`!document.getElementById("write-more").disabled`)
	if branch := value[string](v, tokens); !strings.HasPrefix(branch, "fun") || strings.HasPrefix(branch, "func") || len(branch) < 100 {
		t.Errorf("the branch is %q", branch)
	}
	v.do(chromedp.Click(chromedp.CSS("#write-back")))
	if back := value[string](v, tokens); back != first {
		t.Errorf("back is %q, want %q", back, first)
	}

	// Much text, stopped, and on from there.
	v.do(script(`document.getElementById("max-tokens").value = 65536`), chromedp.Click(chromedp.CSS("#write-more")))
	v.wait(fmt.Sprintf("write.cells.length > %d", len(first)+20))
	v.do(chromedp.Click(chromedp.CSS("#write-stop")))
	v.wait(`document.getElementById("write-status").textContent.startsWith("Stopped.")`)
	length := value[int](v, "write.cells.length")
	v.do(script(`document.getElementById("max-tokens").value = 5`), chromedp.Click(chromedp.CSS("#write-more")))
	v.wait(`!document.getElementById("write-more").disabled`)
	if n := value[int](v, "write.ids().length"); n < length+5 {
		t.Errorf("%d tokens after going on from %d by 5", n, length)
	}
}

func TestTranslate(t *testing.T) {
	v := visit(t, "translate")
	v.do(chromedp.SendKeys(chromedp.CSS("#source"), "forty two thousand\nseven hundred"), chromedp.Click(chromedp.CSS("#translate-form button")))
	v.wait(`document.querySelectorAll("#translation .best").length == 2 && document.getElementById("translate-status").textContent == ""`)
	if got := v.text("#translation .best [lang=de]"); got != "zwei und vierzig tausend" {
		t.Errorf("forty two thousand is %q", got)
	}
	scores := value[[]float64](v, `[...document.querySelectorAll("#translation > :first-child .share")].map(s => +s.textContent)`)
	if len(scores) != 5 || scores[0] < -1 || scores[1] > scores[0] {
		t.Errorf("the scores are %v", scores)
	}
}

func TestAverages(t *testing.T) {
	v := visit(t, "averages")
	v.wait(`document.querySelectorAll("#layers button").length > 1`)
	v.do(chromedp.Click(chromedp.CSS("#layers button:nth-child(2)")), chromedp.Focus(chromedp.CSS("#layer [role=application]")), chromedp.KeyEvent(kb.ArrowRight+kb.ArrowDown))
	if got := v.text("#layer .read"); !strings.Contains(got, "dimension 1") || !strings.Contains(got, "step") {
		t.Errorf("the cursor says %q", got)
	}
	if name, want := v.text("#layer h3"), v.text("#layers button:nth-child(2) b"); name != want {
		t.Errorf("the layer is %q, want %q", name, want)
	}
	if n := value[int](v, `document.querySelectorAll("#layer tr").length`); n != 8 {
		t.Errorf("%d rows of quantiles, want 8 with the head", n)
	}
}

func TestRuns(t *testing.T) {
	v := visit(t, "runs")
	v.wait(`document.querySelectorAll("#run-list input").length == 4`) // two are those of models
	v.wait(`document.querySelectorAll("#run-table tr").length == 2`)   // the newest is checked
	v.do(chromedp.Click(chromedp.CSS("[data-run=numbers-en-de]")))
	v.wait(`document.querySelectorAll("#run-table tr").length == 3`)
	for _, chart := range []string{"Loss", "Gradient norm", "Learning rate"} {
		lines := value[int](v, fmt.Sprintf(`document.querySelectorAll("svg[aria-label^='%s'] .line").length`, chart))
		if lines != 2 {
			t.Errorf("%d curves in the chart of %s, want 2", lines, chart)
		}
	}
	server.record(t, `{"kind":"train","epoch":1,"update":1234,"gnorm":0.5,"loss":1.75,"lr":0.001,"ups":2,"wall":500}`)
	v.wait(`document.getElementById("run-table").textContent.includes("1234")`)
	if table := v.text("#run-table"); !strings.Contains(table, "training") || !strings.Contains(table, " min") {
		t.Errorf("the table says %q", table)
	}
}

// TestLooks goes through the panels, light and dark, narrow and wide: nothing is wider
// than the window, every control has a name, and all text stands out from its ground.
func TestLooks(t *testing.T) {
	v := visit(t, "write")
	for _, panel := range []string{"write", "classify", "translate", "averages", "runs"} {
		v.do(chromedp.Click(chromedp.CSS("#tab-" + panel)))
		v.fill(panel)
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1600} {
				v.do(emulate(scheme),
					chromedp.EmulateViewport(width, 900), chromedp.Sleep(300*time.Millisecond))
				v.look(panel, scheme, width)
			}
		}
	}
}

// fill gives a panel something to show.
func (v *visitor) fill(panel string) {
	switch panel {
	case "write":
		v.do(chromedp.SendKeys(chromedp.CSS("#prompt"), "func (r *Reader) "), chromedp.Click(chromedp.CSS("#write-go")))
		v.wait(`!document.getElementById("write-more").disabled`)
		v.do(script("write.pick(25)"))
	case "classify":
		v.model("classify", "pictures")
		turn := v.turn()
		v.draw()
		v.answered(turn)
	case "translate":
		v.do(chromedp.SendKeys(chromedp.CSS("#source"), "forty two thousand"), chromedp.Click(chromedp.CSS("#translate-form button")))
		v.wait(`document.querySelector("#translation .best") != null`)
	case "averages":
		v.wait(`document.querySelectorAll("#layers button").length > 1`)
	case "runs":
		v.wait(`document.querySelectorAll("#run-table tr").length == 2`)
		v.do(chromedp.Click(chromedp.CSS("[data-run=numbers-en-de]")))
		v.wait(`document.querySelectorAll("#run-table tr").length == 3`)
	}
}

// look examines what is on the screen.
func (v *visitor) look(panel, scheme string, width int64) {
	name := fmt.Sprintf("%s-%s-%d", panel, scheme, width)
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		picture, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			v.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
			v.Fatal(err)
		}
	}
	if wide := value[int](v, "document.scrollingElement.scrollWidth"); wide > int(width) {
		v.Errorf("%s: the page is %d wide: %v", name, wide, value[[]string](v, tooWide))
	}
	for _, fault := range value[[]string](v, faults) {
		v.Errorf("%s: %s", name, fault)
	}
}

// tooWide names what reaches beyond the window.
const tooWide = `[...document.querySelectorAll("main *, header *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
	.map(e => e.tagName + " " + e.id + " " + e.className).slice(0, 5)`

// faults lists controls without a name and text of a contrast below 4.5.
const faults = `(() => {
	const out = [], shown = e => e.checkVisibility() && e.getClientRects().length;
	for (const e of document.querySelectorAll("button, input, select, textarea, [tabindex='0'], [role=option]")) {
		const name = e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || [...(e.labels || [])].map(l => l.textContent).join("") || e.textContent;
		if (shown(e) && !name.trim()) out.push("no name: " + e.outerHTML.slice(0, 80));
	}
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return {rgb: m.slice(0, 3), a: m[3] ?? 1}; };
	const luminance = rgb => rgb.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a > 0) return c.rgb; } return [255, 255, 255]; };
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = walker.nextNode();) {
		const e = n.parentElement;
		if (!n.data.trim() || !shown(e) || e.closest(".unseen, .skip, script") || e.disabled) continue;
		const style = getComputedStyle(e), [a, b] = [luminance(parse(e.closest("svg") ? style.fill : style.color).rgb), luminance(ground(e))].sort((x, y) => y - x);
		const contrast = (a + 0.05) / (b + 0.05);
		if (contrast < 4.5) out.push("contrast " + contrast.toFixed(2) + ": " + n.data.trim().slice(0, 40));
	}
	return [...new Set(out)].slice(0, 20);
})()`

// drop drops a file on the zone: the content is what an expression gives, a Blob.
func (v *visitor) drop(name, content string) {
	v.Helper()
	v.do(script(fmt.Sprintf(`(async () => {
		const blob = await %s, data = new DataTransfer();
		data.items.add(new File([blob], %q, {type: blob.type}));
		document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
	})()`, content, name)))
}

// answered waits for an answer to a new question and returns the likeliest class.
func (v *visitor) answered(turn int) string {
	v.Helper()
	v.wait(fmt.Sprintf(`classify.turn > %d && document.getElementById("answer-status").textContent.startsWith("Most likely")`, turn))
	return v.text("#answer li span")
}

func (v *visitor) turn() int { return value[int](v, "classify.turn") }

// told returns the class that mega classify finds for a file.
func told(model, file string) string {
	fields := strings.Fields(strings.TrimPrefix(command(server.mega, "classify", "--checkpoint", model, file), file))
	return fields[0]
}

func TestClassifyText(t *testing.T) {
	v := visit(t, "classify")
	v.model("classify", "go-files")
	for want, text := range map[string]string{
		"go":       "func (r *Reader) Read(p []byte) (n int, err error) {\n\tif r.err != nil {\n\t\treturn 0, r.err\n\t}\n\treturn copy(p, r.buf), nil\n}\n",
		"assembly": "TEXT ·Add(SB),NOSPLIT,$0-24\n\tMOVQ a+0(FP), AX\n\tADDQ b+8(FP), AX\n\tMOVQ AX, ret+16(FP)\n\tRET\n",
	} {
		turn := v.turn()
		v.do(chromedp.SetValue(chromedp.CSS("#text0"), text), chromedp.Click(chromedp.CSS("#ask button")))
		if got := v.answered(turn); got != want {
			t.Errorf("%q is of %s, want %s", text, got, want)
		}
	}
	v.do(script(`document.getElementById("text0").value = ""`), chromedp.Click(chromedp.CSS("#ask button")))
	if got := v.text("#trouble"); got != "Enter a text first." {
		t.Errorf("without a text it says %q", got)
	}
}

func TestClassifyPicture(t *testing.T) {
	v := visit(t, "classify")
	v.model("classify", "pictures")
	file, err := filepath.Abs(filepath.Join(server.dir, "shapes/test/red-plain-star"))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(file + "/*")
	want, turn := told(server.path("pictures"), files[0]), v.turn()
	v.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), files[:1]))
	if got := v.answered(turn); got != want {
		t.Errorf("the page answers %s, mega classify %s", got, want)
	}
	v.do(chromedp.Click(chromedp.CSS("#answer-all")))
	if n := value[int](v, `document.querySelectorAll("#answer li").length`); n != 36 {
		t.Errorf("%d classes of 36", n)
	}
	turn = v.turn()
	v.draw()
	v.answered(turn)
	turn = v.turn()
	v.drop("drawing.png", `new Promise(done => document.querySelector(".pad").toBlob(done))`)
	v.answered(turn)
	v.drop("notes.txt", `new Blob(["text"], {type: "text/plain"})`)
	v.wait(`document.getElementById("trouble").textContent.includes("notes.txt is no picture")`)
}

// draw draws a stroke on the pad.
func (v *visitor) draw() {
	v.Helper()
	v.do(chromedp.ScrollIntoView(chromedp.CSS(".pad")))
	at := value[[]float64](v, `(() => { const r = document.querySelector(".pad").getBoundingClientRect(); return [r.left, r.top]; })()`)
	left := func(p *input.DispatchMouseEventParams) { p.Button, p.ClickCount = input.MouseButtonLeft, 1 }
	v.do(chromedp.MouseEvent(chromedp.MousePressed, at[0]+60, at[1]+60, left),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]+150, at[1]+60, left),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]+150, at[1]+150, left),
		chromedp.MouseEvent(chromedp.MouseReleased, at[0]+150, at[1]+150, left))
}

func TestClassifySound(t *testing.T) {
	v := visit(t, "classify")
	v.model("classify", "sounds")
	file := server.path("sound/tone/3.wav")
	want, turn := told(server.path("sounds"), file), v.turn()
	v.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	if got := v.answered(turn); got != want {
		t.Errorf("the page answers %s, mega classify %s", got, want)
	}
	// The microphone of the test beeps.
	turn = v.turn()
	v.do(chromedp.Click(chromedp.CSS(".sheet > .row .first")), chromedp.Sleep(1500*time.Millisecond))
	v.wait(`document.querySelector(".sheet > .row .first").textContent == "Stop and ask"`)
	v.do(chromedp.Click(chromedp.CSS(".sheet > .row .first")))
	v.answered(turn)
}
