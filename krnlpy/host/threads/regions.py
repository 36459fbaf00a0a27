"""Regions in LLVM IR: helpers, and the caller who shares the chunks of a launch with them."""

from __future__ import annotations

from krnlpy.dsl.llvm.polls import CONTROL

from .layout import (
    BUFFERS,
    BUSY,
    CHUNK,
    CHUNKS,
    COUNT,
    DONE,
    ENDED,
    ENDING,
    FUNCTION,
    GROWING,
    HELPERS,
    LAUNCH,
    LIMIT,
    LOCK,
    NUMBER,
    PARAMETERS,
    POOL,
    SCRATCH,
    STARTED,
    STATE,
    STATUS,
    STOP,
    STRIDE,
    WORKERS,
    at,
    field,
    put,
)

SYMBOLS = ("PyThread_start_new_thread",)
"""Functions of Python's that start threads, which it has for all systems."""

_PERIOD = 50_000
"""Microseconds between two times that a caller who waits lets Python handle its signals."""
_CLOSED = 0xFFFFFFFF

FUNCTIONS = f"""\
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyErr_CheckSignals()
declare i64 @PyThread_start_new_thread(ptr, ptr)
declare i64 @llvm.umin.i64(i64, i64)
@never = internal constant i32 0, align 4

; Wakes the two helpers that follow a worker.
define internal void @wake_next(ptr %pool, i64 %number) nounwind {{
entry:
  {field("helpers", HELPERS)}
  {field("started", STARTED)}
  %most = call i64 @llvm.umin.i64(i64 %helpers, i64 %started)
  %twice = shl i64 %number, 1
  %first = add i64 %twice, 1
  %second = add i64 %twice, 2
  {at("workers", "pool", WORKERS)}
  %is_first = icmp ule i64 %first, %most
  br i1 %is_first, label %one, label %out
one:
  %one_at = shl i64 %first, 6
  %one_worker = getelementptr inbounds i8, ptr %workers, i64 %one_at
  call void @wake(ptr %one_worker)
  %is_second = icmp ule i64 %second, %most
  br i1 %is_second, label %two, label %out
two:
  %two_at = shl i64 %second, 6
  %two_worker = getelementptr inbounds i8, ptr %workers, i64 %two_at
  call void @wake(ptr %two_worker)
  br label %out
out:
  ret void
}}

; Takes chunks of a region until there is none; returns how many.
define internal i64 @work(ptr %pool, i64 %number, i64 %region, ptr %control) nounwind {{
entry:
  {at("state_at", "pool", STATE)}
  {at("done_at", "pool", DONE)}
  {at("stop_at", "pool", STOP)}
  {at("status_at", "pool", STATUS)}
  %told = getelementptr {CONTROL}, ptr %control, i32 0, i32 3
  br label %look
look:
  %taken = phi i64 [ 0, %entry ], [ %taken, %take ], [ %more, %finished ]
  %state = load atomic i64, ptr %state_at seq_cst, align 8
  {field("function", FUNCTION, "ptr")}
  {field("parameters", PARAMETERS, "ptr")}
  {field("buffers", BUFFERS, "ptr")}
  {field("scratch", SCRATCH, "ptr")}
  {field("stride", STRIDE)}
  {field("launch", LAUNCH, "ptr")}
  {field("count", COUNT)}
  {field("chunk", CHUNK)}
  {field("chunks", CHUNKS)}
  {field("helpers", HELPERS)}
  %stop = load atomic i32, ptr %stop_at monotonic, align 4
  %its_region = lshr i64 %state, 32
  %next = and i64 %state, {_CLOSED}
  %is_same = icmp eq i64 %its_region, %region
  %is_chunk = icmp ult i64 %next, %chunks
  %is_asked = icmp ule i64 %number, %helpers
  %goes_on = icmp eq i32 %stop, 0
  %some = and i1 %is_same, %is_chunk
  %others = and i1 %is_asked, %goes_on
  %all = and i1 %some, %others
  br i1 %all, label %take, label %out
take:
  %after = add i64 %state, 1
  %both = cmpxchg ptr %state_at, i64 %state, i64 %after seq_cst seq_cst
  %mine = extractvalue {{ i64, i1 }} %both, 1
  br i1 %mine, label %run, label %look
run:
  %begin = mul i64 %next, %chunk
  %far = add i64 %begin, %chunk
  %end = call i64 @llvm.umin.i64(i64 %far, i64 %count)
  %offset = mul i64 %stride, %number
  %own = getelementptr i8, ptr %scratch, i64 %offset
  %result = call i32 %function(ptr %parameters, ptr %buffers, i64 %begin, i64 %end, ptr %own, ptr %launch,
    ptr %control)
  %refuses = icmp ne i32 %result, 0
  %word = load ptr, ptr %told
  %raises = icmp ne ptr %word, %stop_at
  %fails = or i1 %refuses, %raises
  br i1 %fails, label %failed, label %finished
failed:
  %old = atomicrmw or ptr %status_at, i32 %result seq_cst
  store atomic i32 1, ptr %stop_at seq_cst, align 4
  br label %finished
finished:
  %more = add i64 %taken, 1
  %count_before = atomicrmw add ptr %done_at, i64 1 seq_cst
  br label %look
out:
  ret i64 %taken
}}

define internal void @helper(ptr %self) nounwind {{
entry:
  %control = alloca {CONTROL}
  {at("pool_at", "self", POOL)}
  %pool = load ptr, ptr %pool_at
  {at("number_at", "self", NUMBER)}
  %number = load i64, ptr %number_at
  {at("stop_at", "pool", STOP)}
  {at("state_at", "pool", STATE)}
  {at("ending_at", "pool", ENDING)}
  {at("caller", "pool", WORKERS)}
  %thread = getelementptr {CONTROL}, ptr %control, i32 0, i32 1
  %looked = getelementptr {CONTROL}, ptr %control, i32 0, i32 2
  %told = getelementptr {CONTROL}, ptr %control, i32 0, i32 3
  store ptr null, ptr %thread
  store i64 0, ptr %looked
  store ptr %stop_at, ptr %told
  br label %fresh
fresh:
  %known = phi i64 [ 0, %entry ], [ %seen, %woken ], [ %region, %worked ]
  %start = call i64 @now()
  br label %watch
watch:
  %seen = phi i64 [ %known, %fresh ], [ %seen, %on ], [ %region, %idle ]
  %ending = load atomic i32, ptr %ending_at seq_cst, align 4
  %ends = icmp ne i32 %ending, 0
  br i1 %ends, label %over, label %see
see:
  %state = load atomic i64, ptr %state_at seq_cst, align 8
  %region = lshr i64 %state, 32
  %is_new = icmp ne i64 %region, %seen
  br i1 %is_new, label %help, label %on
on:
  %long = call i1 @rest(i64 %start)
  br i1 %long, label %tired, label %watch
help:
  call void @wake_next(ptr %pool, i64 %number)
  %taken = call i64 @work(ptr %pool, i64 %number, i64 %region, ptr %control)
  %some = icmp ne i64 %taken, 0
  br i1 %some, label %worked, label %idle
worked:
  call void @wake(ptr %caller)
  br label %fresh
idle:
  br label %watch
tired:
  call void @fall_asleep(ptr %self)
  %state_now = load atomic i64, ptr %state_at seq_cst, align 8
  %region_now = lshr i64 %state_now, 32
  %is_other = icmp ne i64 %region_now, %seen
  %ending_now = load atomic i32, ptr %ending_at seq_cst, align 4
  %ends_now = icmp ne i32 %ending_now, 0
  %stays = or i1 %is_other, %ends_now
  br i1 %stays, label %stay, label %sleep
stay:
  call void @stay_awake(ptr %self)
  br label %woken
sleep:
  call void @sleep(ptr %self, i64 -1)
  br label %woken
woken:
  br label %fresh
over:
  {at("ended_at", "pool", ENDED)}
  %ended = atomicrmw add ptr %ended_at, i64 1 seq_cst
  ret void
}}

; Starts helpers until there are so many, or the system gives no more threads.
define internal void @grow(ptr %pool, i64 %wanted) nounwind {{
entry:
  {at("started_at", "pool", STARTED)}
  {at("growing_at", "pool", GROWING)}
  {at("limit_at", "pool", LIMIT)}
  {at("caller", "pool", WORKERS)}
  {field("started", STARTED)}
  {field("limit", LIMIT)}
  %few = icmp ult i64 %started, %wanted
  %allowed = icmp eq i64 %limit, 0
  %grows = and i1 %few, %allowed
  br i1 %grows, label %alone, label %out
alone:
  %both = cmpxchg ptr %growing_at, i32 0, i32 1 seq_cst seq_cst
  %mine = extractvalue {{ i32, i1 }} %both, 1
  br i1 %mine, label %first, label %out
first:
  {at("caller_lock_at", "caller", LOCK)}
  %caller_lock = load ptr, ptr %caller_lock_at
  %has_lock = icmp ne ptr %caller_lock, null
  br i1 %has_lock, label %next, label %make
make:
  %made = call ptr @new_lock()
  store ptr %made, ptr %caller_lock_at
  %is_made = icmp ne ptr %made, null
  br i1 %is_made, label %next, label %fail
next:
  %count = load atomic i64, ptr %started_at seq_cst, align 8
  %more = icmp ult i64 %count, %wanted
  br i1 %more, label %start, label %leave
start:
  %number = add i64 %count, 1
  %place = shl i64 %number, 6
  %worker = getelementptr i8, ptr %caller, i64 %place
  {at("lock_to", "worker", LOCK)}
  %lock = call ptr @new_lock()
  store ptr %lock, ptr %lock_to
  {at("pool_to", "worker", POOL)}
  store ptr %pool, ptr %pool_to
  {at("number_to", "worker", NUMBER)}
  store i64 %number, ptr %number_to
  %is_lock = icmp ne ptr %lock, null
  br i1 %is_lock, label %thread, label %fail
thread:
  %id = call i64 @PyThread_start_new_thread(ptr @helper, ptr %worker)
  %id_word = trunc i64 %id to i32
  %runs = icmp ne i32 %id_word, -1
  br i1 %runs, label %counted, label %fail
counted:
  store atomic i64 %number, ptr %started_at seq_cst, align 8
  br label %next
fail:
  store atomic i64 1, ptr %limit_at seq_cst, align 8
  br label %leave
leave:
  store atomic i32 0, ptr %growing_at seq_cst, align 4
  br label %out
out:
  ret void
}}

; Lets Python handle its signals; returns whether a handler has raised.
define internal i1 @handle_signals(ptr %control) nounwind {{
  %thread = getelementptr {CONTROL}, ptr %control, i32 0, i32 1
  %state = load ptr, ptr %thread
  call void @PyEval_RestoreThread(ptr %state)
  %raised = call i32 @PyErr_CheckSignals()
  %again = call ptr @PyEval_SaveThread()
  store ptr %again, ptr %thread
  %raises = icmp ne i32 %raised, 0
  ret i1 %raises
}}

; Runs a launch in this thread; returns 0, 1 if it was refused, or another number if it was stopped.
define internal i32 @alone(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count,
    ptr %control) nounwind {{
  %told = getelementptr {CONTROL}, ptr %control, i32 0, i32 3
  store ptr @never, ptr %told
  %result = call i32 %function(ptr %parameters, ptr %buffers, i64 0, i64 %count, ptr %scratch, ptr %launch,
    ptr %control)
  %word = load ptr, ptr %told
  %raised = icmp ne ptr %word, @never
  %flag = select i1 %raised, i32 2, i32 0
  %status = or i32 %result, %flag
  ret i32 %status
}}

; The same with helpers, where there are any that have nothing to do.
define internal i32 @launch(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count,
    i64 %chunk, i64 %stride, i64 %helpers, ptr %pool, ptr %control) nounwind {{
entry:
  {at("busy_at", "pool", BUSY)}
  {at("stop_at", "pool", STOP)}
  {at("state_at", "pool", STATE)}
  {at("done_at", "pool", DONE)}
  {at("status_at", "pool", STATUS)}
  {at("caller", "pool", WORKERS)}
  {field("started", STARTED)}
  %are_chunks = icmp ult i64 %chunk, %count
  %is_help = icmp ne i64 %helpers, 0
  %are_helpers = icmp ne i64 %started, 0
  %both_are = and i1 %is_help, %are_helpers
  %shares = and i1 %are_chunks, %both_are
  br i1 %shares, label %ask, label %single
ask:
  %both = cmpxchg ptr %busy_at, i32 0, i32 1 seq_cst seq_cst
  %mine = extractvalue {{ i32, i1 }} %both, 1
  br i1 %mine, label %share, label %single
single:
  %result = call i32 @alone(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count,
    ptr %control)
  ret i32 %result
share:
  %told = getelementptr {CONTROL}, ptr %control, i32 0, i32 3
  store ptr %stop_at, ptr %told
  %state_before = load atomic i64, ptr %state_at seq_cst, align 8
  %region_before = lshr i64 %state_before, 32
  %region_after = add i64 %region_before, 1
  %region = and i64 %region_after, {_CLOSED}
  %state = shl i64 %region, 32
  %last = sub i64 %count, 1
  %full = udiv i64 %last, %chunk
  %chunks = add i64 %full, 1
  {put("function", FUNCTION, "%function", "ptr")}
  {put("parameters", PARAMETERS, "%parameters", "ptr")}
  {put("buffers", BUFFERS, "%buffers", "ptr")}
  {put("scratch", SCRATCH, "%scratch", "ptr")}
  {put("stride", STRIDE, "%stride")}
  {put("launch", LAUNCH, "%launch", "ptr")}
  {put("count", COUNT, "%count")}
  {put("chunk", CHUNK, "%chunk")}
  {put("chunks", CHUNKS, "%chunks")}
  %fewer = sub i64 %chunks, 1
  %helpers_most = call i64 @llvm.umin.i64(i64 %helpers, i64 %fewer)
  {put("helpers", HELPERS, "%helpers_most")}
  store atomic i32 0, ptr %stop_at seq_cst, align 4
  store atomic i32 0, ptr %status_at seq_cst, align 4
  store atomic i64 0, ptr %done_at seq_cst, align 8
  store atomic i64 %state, ptr %state_at seq_cst, align 8
  call void @wake_next(ptr %pool, i64 0)
  %own = call i64 @work(ptr %pool, i64 0, i64 %region, ptr %control)
  %closed = or i64 %state, {_CLOSED}
  %last_state = atomicrmw xchg ptr %state_at, i64 %closed seq_cst
  %taken = and i64 %last_state, {_CLOSED}
  %start = call i64 @now()
  br label %look
look:
  %done = load atomic i64, ptr %done_at seq_cst, align 8
  %all = icmp eq i64 %done, %taken
  br i1 %all, label %over, label %rest
rest:
  %long = call i1 @rest(i64 %start)
  br i1 %long, label %tired, label %look
tired:
  call void @fall_asleep(ptr %caller)
  %done_now = load atomic i64, ptr %done_at seq_cst, align 8
  %all_now = icmp eq i64 %done_now, %taken
  br i1 %all_now, label %stay, label %sleep
stay:
  call void @stay_awake(ptr %caller)
  br label %over
sleep:
  call void @sleep(ptr %caller, i64 {_PERIOD})
  %stop_word = load atomic i32, ptr %stop_at seq_cst, align 4
  %stopped = icmp ne i32 %stop_word, 0
  br i1 %stopped, label %look, label %signals
signals:
  %raises = call i1 @handle_signals(ptr %control)
  br i1 %raises, label %stop, label %look
stop:
  store atomic i32 1, ptr %stop_at seq_cst, align 4
  br label %look
over:
  %status = load atomic i32, ptr %status_at seq_cst, align 4
  %word = load atomic i32, ptr %stop_at seq_cst, align 4
  %flag = shl i32 %word, 1
  %both_status = or i32 %status, %flag
  store atomic i32 0, ptr %busy_at seq_cst, align 4
  ret i32 %both_status
}}
"""
