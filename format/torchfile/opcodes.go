package torchfile

// An operation is what the machine does at an opcode.
type operation struct {
	name string
	run  func(*machine) error // nil for what torch never writes
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
	'K':  {"BININT1", func(m *machine) error { return m.pushUint(1) }},
	'M':  {"BININT2", func(m *machine) error { return m.pushUint(2) }},
	'J':  {"BININT", (*machine).binInt},
	0x8a: {"LONG1", func(m *machine) error { return m.long(1) }},
	0x8b: {"LONG4", func(m *machine) error { return m.long(4) }},
	'G':  {"BINFLOAT", (*machine).binFloat},

	0x8c: {"SHORT_BINUNICODE", func(m *machine) error { return m.unicode(1) }},
	'X':  {"BINUNICODE", func(m *machine) error { return m.unicode(4) }},
	0x8d: {"BINUNICODE8", func(m *machine) error { return m.unicode(8) }},
	'U':  {"SHORT_BINSTRING", func(m *machine) error { return m.python2String(1) }},
	'T':  {"BINSTRING", func(m *machine) error { return m.python2String(4) }},
	'C':  {"SHORT_BINBYTES", func(m *machine) error { return m.bytes(1) }},
	'B':  {"BINBYTES", func(m *machine) error { return m.bytes(4) }},
	0x8e: {"BINBYTES8", func(m *machine) error { return m.bytes(8) }},
	0x96: {"BYTEARRAY8", func(m *machine) error { return m.bytes(8) }},

	')':  {"EMPTY_TUPLE", func(m *machine) error { return m.push(Tuple(nil)) }},
	0x85: {"TUPLE1", func(m *machine) error { return m.tupleOf(1) }},
	0x86: {"TUPLE2", func(m *machine) error { return m.tupleOf(2) }},
	0x87: {"TUPLE3", func(m *machine) error { return m.tupleOf(3) }},
	't':  {"TUPLE", (*machine).tuple},
	']':  {"EMPTY_LIST", func(m *machine) error { return m.push(&List{}) }},
	'a':  {"APPEND", (*machine).appendOne},
	'e':  {"APPENDS", (*machine).appendAll},
	'}':  {"EMPTY_DICT", func(m *machine) error { return m.push(&Dict{}) }},
	's':  {"SETITEM", (*machine).setItem},
	'u':  {"SETITEMS", (*machine).setItems},
	0x8f: {"EMPTY_SET", func(m *machine) error { return m.push(&Set{}) }},
	0x90: {"ADDITEMS", (*machine).addItems},
	0x91: {"FROZENSET", (*machine).frozenSet},

	'q':  {"BINPUT", func(m *machine) error { return m.put(1) }},
	'r':  {"LONG_BINPUT", func(m *machine) error { return m.put(4) }},
	0x94: {"MEMOIZE", (*machine).memoize},
	'h':  {"BINGET", func(m *machine) error { return m.get(1) }},
	'j':  {"LONG_BINGET", func(m *machine) error { return m.get(4) }},

	'c':  {"GLOBAL", (*machine).global},
	0x93: {"STACK_GLOBAL", (*machine).stackGlobal},
	'R':  {"REDUCE", (*machine).reduce},
	0x81: {"NEWOBJ", (*machine).newObject},
	'b':  {"BUILD", (*machine).build},
	'Q':  {"BINPERSID", (*machine).persistentID},

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
