package torchfile

// An operation is what the machine does at an opcode.
type operation struct {
	name string
	run  func(*machine) error // nil for what torch never writes
}

// on returns an operation that takes something from the pickle or the stack and runs
// on it.
func on[T any](take func(*machine) (T, error), run func(*machine, T) error) func(*machine) error {
	return func(m *machine) error {
		x, err := take(m)
		if err != nil {
			return err
		}
		return run(m, x)
	}
}

// number takes an unsigned integer of width bytes.
func number(width int) func(*machine) (uint64, error) {
	return func(m *machine) (uint64, error) { return m.uint(width) }
}

// block takes bytes after their number, which has width bytes.
func block(width int) func(*machine) ([]byte, error) {
	return func(m *machine) ([]byte, error) { return m.block(width) }
}

// topmost takes the n topmost values from the stack.
func topmost(n int) func(*machine) ([]any, error) {
	return func(m *machine) ([]any, error) { return m.pop(n) }
}

// operations lists the opcodes of Python's pickle module by their byte. Those
// without a function exist but are in no file of torch.save, whose protocols are
// 2 to 5: text forms of protocol 0, stack juggling, codes of a registry.
var operations = [256]operation{
	0x80: {"PROTO", nil}, // only at the start, where machine.run reads it
	0x95: {"FRAME", (*machine).frame},
	'.':  {"STOP", nil}, // machine.run ends there
	'(':  {"MARK", (*machine).mark},

	'N':  {"NONE", func(m *machine) error { return m.push(nil) }},
	0x88: {"NEWTRUE", func(m *machine) error { return m.push(true) }},
	0x89: {"NEWFALSE", func(m *machine) error { return m.push(false) }},
	'K':  {"BININT1", on(number(1), (*machine).pushUint)},
	'M':  {"BININT2", on(number(2), (*machine).pushUint)},
	'J':  {"BININT", on(number(4), (*machine).pushInt32)},
	0x8a: {"LONG1", on(block(1), (*machine).long)},
	0x8b: {"LONG4", on(block(4), (*machine).long)},
	'G':  {"BINFLOAT", (*machine).binFloat},

	0x8c: {"SHORT_BINUNICODE", on(block(1), (*machine).unicode)},
	'X':  {"BINUNICODE", on(block(4), (*machine).unicode)},
	0x8d: {"BINUNICODE8", on(block(8), (*machine).unicode)},
	'U':  {"SHORT_BINSTRING", on(block(1), (*machine).python2String)},
	'T':  {"BINSTRING", on(block(4), (*machine).python2String)},
	'C':  {"SHORT_BINBYTES", on(block(1), (*machine).bytes)},
	'B':  {"BINBYTES", on(block(4), (*machine).bytes)},
	0x8e: {"BINBYTES8", on(block(8), (*machine).bytes)},
	0x96: {"BYTEARRAY8", on(block(8), (*machine).bytes)},

	')':  {"EMPTY_TUPLE", func(m *machine) error { return m.push(Tuple(nil)) }},
	0x85: {"TUPLE1", on(topmost(1), (*machine).tuple)},
	0x86: {"TUPLE2", on(topmost(2), (*machine).tuple)},
	0x87: {"TUPLE3", on(topmost(3), (*machine).tuple)},
	't':  {"TUPLE", on((*machine).popMark, (*machine).tuple)},
	']':  {"EMPTY_LIST", func(m *machine) error { return m.push(&List{}) }},
	'a':  {"APPEND", on(topmost(1), (*machine).extend)},
	'e':  {"APPENDS", on((*machine).popMark, (*machine).extend)},
	'}':  {"EMPTY_DICT", func(m *machine) error { return m.push(&Dict{}) }},
	's':  {"SETITEM", on(topmost(2), (*machine).update)},
	'u':  {"SETITEMS", on((*machine).popMark, (*machine).update)},
	0x8f: {"EMPTY_SET", func(m *machine) error { return m.push(&Set{}) }},
	0x90: {"ADDITEMS", on((*machine).popMark, (*machine).addItems)},
	0x91: {"FROZENSET", on((*machine).popMark, (*machine).frozenSet)},

	'q':  {"BINPUT", on(number(1), (*machine).put)},
	'r':  {"LONG_BINPUT", on(number(4), (*machine).put)},
	0x94: {"MEMOIZE", (*machine).memoize},
	'h':  {"BINGET", on(number(1), (*machine).get)},
	'j':  {"LONG_BINGET", on(number(4), (*machine).get)},

	'c':  {"GLOBAL", (*machine).global},
	0x93: {"STACK_GLOBAL", on(topmost(2), (*machine).stackGlobal)},
	'R':  {"REDUCE", on(topmost(2), (*machine).reduce)},
	0x81: {"NEWOBJ", on(topmost(2), (*machine).newObject)},
	'b':  {"BUILD", on(topmost(1), (*machine).build)},
	'Q':  {"BINPERSID", on(topmost(1), (*machine).persistentID)},

	'0':  {"POP", nil},
	'1':  {"POP_MARK", nil},
	'2':  {"DUP", nil},
	'F':  {"FLOAT", nil},
	'I':  {"INT", nil},
	'L':  {"LONG", nil},
	'S':  {"STRING", nil},
	'V':  {"UNICODE", nil},
	'P':  {"PERSID", nil},
	'd':  {"DICT", nil},
	'l':  {"LIST", nil},
	'g':  {"GET", nil},
	'p':  {"PUT", nil},
	'i':  {"INST", nil},
	'o':  {"OBJ", nil},
	0x82: {"EXT1", nil},
	0x83: {"EXT2", nil},
	0x84: {"EXT4", nil},
	0x92: {"NEWOBJ_EX", nil},
	0x97: {"NEXT_BUFFER", nil},
	0x98: {"READONLY_BUFFER", nil},
}
