"""Shows in gdb what the tasks of a weir runtime wait for, in a live process or a core file.

    (gdb) source examples/debugging/weir_gdb.py
    (gdb) weir-tasks rt           every task of the runtime `rt`, with its chain of coroutines
    (gdb) weir-chain 0x55e0c0de   the chain from one coroutine frame on

The program needs debug information (-g) for weir-tasks, and none for weir-chain. What it prints
comes from the same marks as runtime.dump(), and needs no running thread; a task that is running when
the process stops is shown where it waited last.
"""

import gdb

WORD = gdb.lookup_type("long").sizeof
# A frame: resume and destroy function; the promise: continuation, owner, mark, where it waits.
MARK = 4 * WORD
SITE = MARK + 8
UNKNOWN, OPERATION, COMPOSITE, COROUTINE = range(4)


def read(address, size):
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(memory), "little")


def word(address):
    return read(address, WORD)


def text(address):
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string()


def function_at(address):
    """The coroutine that a frame's resume function belongs to."""
    symbol = gdb.execute("info symbol %d" % address, to_string=True).split(" in section")[0]
    name = symbol.strip().replace("(anonymous namespace)::", "")
    for end in (" + ", " [clone", ".actor", ".resume", "("):
        name = name.split(end)[0]
    return name


def kind_of(node):
    """What the operation behind a wait node is called."""
    try:
        node_type = gdb.lookup_type("weir::%s::detail::wait_node" % abi())
        kind = gdb.Value(node).cast(node_type.pointer()).dereference()["kind"]
        return str(kind).split("::")[-1]
    except gdb.error:
        return "an operation"


def abi():
    """The inline namespace, which gdb needs where it looks for a type by name."""
    for name in ("v%d_%d" % (major, minor) for major in range(4) for minor in range(32)):
        try:
            gdb.lookup_type("weir::%s::detail::wait_node" % name)
            return name
        except gdb.error:
            pass
    raise gdb.error("the program has no debug information of weir")


def chain(frame):
    """Yields what each coroutine waits for, from the outermost on: (function, site, what)."""
    while frame:
        function = function_at(word(frame))
        state, awaiter = read(frame + MARK, 1), read(frame + MARK + 4, 4)
        if state != 0:
            yield function, None, "has ended"
            return
        if awaiter == 0:
            yield function, None, "has not waited yet"
            return
        place = word(frame + SITE)
        site = "%s:%d" % (text(word(place)), read(place + 2 * WORD, 4))
        form, low = awaiter & 3, (awaiter & ~3) & 0xFFFFFFFF
        at = frame + MARK + ((low - (frame + MARK)) & 0xFFFFFFFF)
        frame = 0
        if form == OPERATION:
            yield function, site, kind_of(at)
        elif form == COMPOSITE:
            yield function, site, "one or all of several (select, join, timeout or a scope)"
        elif form == COROUTINE:
            yield function, site, "task"
            frame = word(at)
        else:
            yield function, site, "something that is not weir's"


def print_chain(frame):
    for depth, (function, site, what) in enumerate(chain(frame)):
        print("  #%d %s%s: %s" % (depth, function, " at " + site if site else "", what))


def tasks_of(runtime):
    core = runtime["core_"]["_M_ptr"].dereference()
    live = core["live_"]
    firsts = [live]
    if live.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        shards = live["shards_"]["_M_elems"]
        low, high = shards.type.strip_typedefs().range()
        firsts = [shards[i]["first"] for i in range(low, high + 1)]
    for task in firsts:
        while int(task) != 0:
            yield task.dereference()
            task = task["live_next"]


class Tasks(gdb.Command):
    """weir-tasks RUNTIME: every live task of a runtime, and what it waits for."""

    def __init__(self):
        super().__init__("weir-tasks", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("weir-tasks needs a runtime: weir-tasks rt")
        runtime = gdb.parse_and_eval(argument)
        if runtime.type.strip_typedefs().code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_REF):
            runtime = runtime.referenced_value()
        count = 0
        for task in sorted(tasks_of(runtime), key=lambda t: int(t["id"])):
            place = task["site"]["_M_impl"]
            print("task %d, spawned at %s:%d" % (int(task["id"]), place["_M_file_name"].string(),
                                                 int(place["_M_line"])))
            unit = 16
            room = (task.type.sizeof + unit - 1) // unit * unit
            print_chain(int(task.address) + room)
            count += 1
        print("%d tasks" % count)


class Chain(gdb.Command):
    """weir-chain FRAME: the chain of coroutines from a frame on, such as a coroutine_handle's
    _M_fr_ptr."""

    def __init__(self):
        super().__init__("weir-chain", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        print_chain(int(gdb.parse_and_eval(argument).cast(gdb.lookup_type("long"))))


Tasks()
Chain()
