"""Work in parts, which threads take as they are free; they sleep where there is none."""

import ctypes
import os
import platform
from string import Template
from typing import Any

import llvmlite.binding
import scipy.linalg.cython_blas

MOST_THREADS = 256


def _threads() -> int:
    """How many threads may work: OMP_NUM_THREADS, or one for each core that this process has."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked):
        return min(int(asked), MOST_THREADS)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = _threads()
llvmlite.binding.add_symbol("symgrad_threads", THREADS)
LOOKS = 5000  # so often a thread looks for work before it sleeps: some 50 microseconds

# Numba has no atomic operations on memory, so this is in LLVM's language. A task is called with what it is
# given and the number of each of its parts. Who takes 1 off @left and finds it above 0 has that part; what
# the task is changes only when @done says that all parts are. Who is going to sleep says so, looks once
# more, and is woken by the one who takes that word back: nobody is woken twice, nobody sleeps where there is
# work. A second task at the same time, of another thread of Python, is done by that thread alone. While a
# product is computed, SciPy's BLAS has one thread; the last one out sets what there was.
_SHARED_WORK = """
%Helper = type { ptr, i32, [52 x i8] }
@helpers = internal global [$helpers x %Helper] zeroinitializer, align 64
@left = internal global i64 0, align 64
@done = internal global i64 0, align 64
@parts = internal global i64 0, align 64
@task = internal global ptr null
@given = internal global ptr null
@owned = internal global i32 0, align 64
@started = internal global i32 0
@owner_sleeps = internal global i32 0, align 64
@owner_lock = internal global ptr null
@changing = internal global i32 0, align 64
@inside = internal global i32 0
@outside_threads = internal global i32 0
@get_threads = global ptr @all
@set_threads = global ptr @none

declare ptr @PyThread_allocate_lock()
declare i32 @PyThread_acquire_lock(ptr, i32)
declare void @PyThread_release_lock(ptr)
declare i64 @PyThread_start_new_thread(ptr, ptr)
$declared

define internal i32 @all() {
  ret i32 $threads
}

define internal void @none(i32 %threads) {
  ret void
}

define internal void @pause() {
  $pause
  ret void
}

define internal ptr @new_lock() {
  %lock = call ptr @PyThread_allocate_lock()
  call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  ret ptr %lock
}

define internal void @wake(ptr %sleeps, ptr %lock) {
  %slept = atomicrmw xchg ptr %sleeps, i32 0 seq_cst
  %is_asleep = icmp ne i32 %slept, 0
  br i1 %is_asleep, label %yes, label %no
yes:
  %found = load ptr, ptr %lock
  call void @PyThread_release_lock(ptr %found)
  br label %no
no:
  ret void
}

define internal i1 @waits(i1 %for_work) {
  %left = load atomic i64, ptr @left seq_cst, align 8
  %done = load atomic i64, ptr @done seq_cst, align 8
  %parts = load atomic i64, ptr @parts seq_cst, align 8
  %none = icmp sle i64 %left, 0
  %some = icmp slt i64 %done, %parts
  %waits = select i1 %for_work, i1 %none, i1 %some
  ret i1 %waits
}

define internal void @wait(i1 %for_work, ptr %sleeps, ptr %lock) {
again:
  br label %spin
spin:
  %round = phi i32 [ 0, %again ], [ %next, %pause ]
  %waits = call i1 @waits(i1 %for_work)
  br i1 %waits, label %pause, label %end
pause:
  call void @pause()
  %next = add i32 %round, 1
  %enough = icmp uge i32 %next, $looks
  br i1 %enough, label %say, label %spin
say:
  store atomic i32 1, ptr %sleeps seq_cst, align 4
  %still = call i1 @waits(i1 %for_work)
  br i1 %still, label %sleep, label %stay
stay:
  %was = atomicrmw xchg ptr %sleeps, i32 0 seq_cst
  %taken_back = icmp ne i32 %was, 0
  br i1 %taken_back, label %end, label %sleep
sleep:
  %found = load ptr, ptr %lock
  call i32 @PyThread_acquire_lock(ptr %found, i32 1)
  %woken_early = call i1 @waits(i1 %for_work)
  br i1 %woken_early, label %say, label %end
end:
  ret void
}

define internal void @work() {
  br label %take
take:
  %left = atomicrmw sub ptr @left, i64 1 seq_cst
  %has = icmp sgt i64 %left, 0
  br i1 %has, label %run, label %end
run:
  %parts = load i64, ptr @parts
  %task = load ptr, ptr @task
  %given = load ptr, ptr @given
  %part = sub i64 %parts, %left
  call void %task(ptr %given, i64 %part)
  %before = atomicrmw add ptr @done, i64 1 seq_cst
  %now = add i64 %before, 1
  %last = icmp eq i64 %now, %parts
  br i1 %last, label %tell, label %take
tell:
  call void @wake(ptr @owner_sleeps, ptr @owner_lock)
  br label %take
end:
  ret void
}

define internal void @help(ptr %helper) {
  %sleeps = getelementptr %Helper, ptr %helper, i32 0, i32 1
  br label %next
next:
  call void @wait(i1 true, ptr %sleeps, ptr %helper)
  call void @work()
  br label %next
}

define internal void @start(i32 %number) {
  %owner = call ptr @new_lock()
  store ptr %owner, ptr @owner_lock
  br label %next
next:
  %n = phi i32 [ 0, %0 ], [ %after, %one ]
  %some = icmp slt i32 %n, %number
  br i1 %some, label %one, label %end
one:
  %helper = getelementptr [$helpers x %Helper], ptr @helpers, i32 0, i32 %n
  %lock = call ptr @new_lock()
  store ptr %lock, ptr %helper
  call i64 @PyThread_start_new_thread(ptr @help, ptr %helper)
  %after = add i32 %n, 1
  br label %next
end:
  store i32 %number, ptr @started
  ret void
}

define void @forget() {
  store i32 0, ptr @started
  store i32 0, ptr @changing
  store i32 0, ptr @inside
  store i32 0, ptr @owned
  store i32 0, ptr @owner_sleeps
  store i64 0, ptr @left
  store [$helpers x %Helper] zeroinitializer, ptr @helpers
  ret void
}

define void @share(ptr %task, ptr %given, i64 %parts) {
  %several = icmp sgt i64 %parts, 1
  br i1 %several, label %limit, label %alone
limit:
  %get = load ptr, ptr @get_threads
  %allowed = call i32 %get()
  %others = sub i32 %allowed, 1
  %few = icmp slt i32 %others, $helpers
  %helpers = select i1 %few, i32 %others, i32 $helpers
  %any = icmp sgt i32 %helpers, 0
  br i1 %any, label %ask, label %alone
ask:
  %mine = cmpxchg ptr @owned, i32 0, i32 1 seq_cst seq_cst
  %is_mine = extractvalue { i32, i1 } %mine, 1
  br i1 %is_mine, label %has_threads, label %alone
has_threads:
  %started = load i32, ptr @started
  %is_new = icmp eq i32 %started, 0
  br i1 %is_new, label %begin, label %post
begin:
  call void @start(i32 $helpers)
  br label %post
post:
  store ptr %task, ptr @task
  store ptr %given, ptr @given
  store atomic i64 0, ptr @done seq_cst, align 8
  store atomic i64 %parts, ptr @parts seq_cst, align 8
  store atomic i64 %parts, ptr @left seq_cst, align 8
  br label %call_one
call_one:
  %n = phi i32 [ 0, %post ], [ %after, %called ]
  %wide = zext i32 %n to i64
  %ones = add i64 %wide, 1
  %wanted = icmp slt i64 %ones, %parts
  %there = icmp slt i32 %n, %helpers
  %calls = and i1 %wanted, %there
  br i1 %calls, label %called, label %take
called:
  %helper = getelementptr [$helpers x %Helper], ptr @helpers, i32 0, i32 %n
  %sleeps = getelementptr %Helper, ptr %helper, i32 0, i32 1
  call void @wake(ptr %sleeps, ptr %helper)
  %after = add i32 %n, 1
  br label %call_one
take:
  call void @work()
  call void @wait(i1 false, ptr @owner_sleeps, ptr @owner_lock)
  store atomic i32 0, ptr @owned seq_cst, align 4
  ret void
alone:
  %i = phi i64 [ 0, %0 ], [ 0, %limit ], [ 0, %ask ], [ %following, %run ]
  %more = icmp slt i64 %i, %parts
  br i1 %more, label %run, label %end
run:
  call void %task(ptr %given, i64 %i)
  %following = add i64 %i, 1
  br label %alone
end:
  ret void
}

define i32 @mkl_threads(i32 %threads) {
  ret i32 %threads
}

define internal void @enter() {
  br label %try
try:
  %got = cmpxchg ptr @changing, i32 0, i32 1 seq_cst seq_cst
  %is_got = extractvalue { i32, i1 } %got, 1
  br i1 %is_got, label %in, label %busy
busy:
  call void @pause()
  br label %try
in:
  ret void
}

define void @one_thread() {
  call void @enter()
  %inside = load i32, ptr @inside
  %more = add i32 %inside, 1
  store i32 %more, ptr @inside
  %is_first = icmp eq i32 %inside, 0
  br i1 %is_first, label %set, label %end
set:
  %get = load ptr, ptr @get_threads
  %threads = call i32 %get()
  store i32 %threads, ptr @outside_threads
  %set_to = load ptr, ptr @set_threads
  call void %set_to(i32 1)
  br label %end
end:
  store atomic i32 0, ptr @changing seq_cst, align 4
  ret void
}

define void @as_before() {
  call void @enter()
  %inside = load i32, ptr @inside
  %less = sub i32 %inside, 1
  store i32 %less, ptr @inside
  %is_last = icmp eq i32 %less, 0
  br i1 %is_last, label %set, label %end
set:
  %threads = load i32, ptr @outside_threads
  %set_to = load ptr, ptr @set_threads
  call void %set_to(i32 %threads)
  br label %end
end:
  store atomic i32 0, ptr @changing seq_cst, align 4
  ret void
}
"""
_PAUSES = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}
_OF_PYTHON = ("allocate_lock", "acquire_lock", "release_lock", "start_new_thread")
_OF_BLAS = ("scipy_openblas_{}_num_threads", "openblas_{}_num_threads")


def _entry(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _of_blas(what: str) -> Any:
    """The function that gets, or sets, how many threads SciPy's BLAS has, where it has one."""
    library = ctypes.CDLL(scipy.linalg.cython_blas.__file__)
    names = (name.format(what) for name in _OF_BLAS)
    return next((getattr(library, name) for name in names if hasattr(library, name)), None)


def _engine() -> Any:
    """The code for work in parts, in the machine's language."""
    for name in _OF_PYTHON:
        function = getattr(ctypes.pythonapi, f"PyThread_{name}")
        llvmlite.binding.add_symbol(f"PyThread_{name}", _entry(function))
    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    declared, pause = _PAUSES.get(platform.machine().lower().replace("amd64", "x86_64"), ("", ""))
    text = Template(_SHARED_WORK).substitute(
        helpers=THREADS - 1, threads=THREADS, looks=LOOKS, declared=declared, pause=pause
    )
    machine = llvmlite.binding.Target.from_default_triple().create_target_machine(opt=0)
    engine = llvmlite.binding.create_mcjit_compiler(llvmlite.binding.parse_assembly(text), machine)
    engine.finalize_object()
    for name in ("get", "set"):
        if function := _of_blas(name):
            place = engine.get_global_value_address(f"{name}_threads")
            ctypes.c_void_p.from_address(place).value = _entry(function)
    return engine


def _begin() -> None:
    """Once in a process, for all modules: threads run what is made here until the process ends."""
    if llvmlite.binding.address_of_symbol("symgrad_share"):
        return
    engine = _engine()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    for name in ("share", "one_thread", "as_before", "mkl_threads"):
        llvmlite.binding.add_symbol(f"symgrad_{name}", engine.get_function_address(name))
    if hasattr(os, "register_at_fork"):
        forget = ctypes.CFUNCTYPE(None)(engine.get_function_address("forget"))
        os.register_at_fork(after_in_child=forget)


_begin()
