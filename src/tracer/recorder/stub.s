// The recorder's code, as it runs in the traced program. See docs/recorder.md.
//
// A patched site jumps here through its trampoline. Only rcx and r11 are free, as the call itself destroys them; the flags, which it
// leaves alone, have to be put aside first. No stack may be used and nothing called, since any thread may come, on any stack. gs leads
// to the thread's slot: the tracer sets it, and it is 0, or the program's own, where the thread is not to be recorded.
//
// Up to `call` nothing but rcx, r11, rax and rdx is changed; from `called` on the registers of the arguments are free too, since the slot
// has them. What the tracer does to a thread that a signal finds in here depends on these labels: see settle.rs.

    .pushsection .rodata.sockstrace_recorder, "a", @progbits
    .globl recorder_start
    .globl recorder_whole
    .globl recorder_labels
    .balign 64
recorder_start:

recorder_entry:                                 // rcx: the trampoline
    mov     r11d, 0
    xchg    rax, r11
recorder_putting_aside:
    lahf
    seto    al
    xchg    rax, r11
recorder_packing:                               // r11: the flags
    shl     r11, {FLAGS_SHIFT}
    or      r11, rcx
recorder_packed:                                // and, below them, the trampoline
    rdgsbase rcx
    shr     rcx, {SLOT_BITS}
    cmp     rcx, {SLOTS_HIGH}
    jne     recorder_divert
    movabs  rcx, {SHARED}
    cmp     dword ptr [rcx + {ON}], 0
    je      recorder_divert
    cmp     dword ptr gs:[{STATE}], {IDLE}
    jne     recorder_divert
    cmp     rax, {NUMBERS}
    jae     recorder_divert
    lea     rcx, [rip + recorder_numbers]
    movzx   ecx, byte ptr [rcx + rax]
    test    ecx, ecx
    jz      recorder_divert
    mov     gs:[{SITE}], r11
recorder_sited:
    mov     gs:[{R_NUMBER}], rax
    mov     gs:[{R_ARGS}], rdi
    mov     gs:[{R_ARGS} + 8], rsi
    mov     gs:[{R_ARGS} + 16], rdx
    mov     gs:[{R_ARGS} + 24], r10
    mov     gs:[{R_ARGS} + 32], r8
    mov     gs:[{R_ARGS} + 40], r9
    shl     ecx, 4
    lea     r11, [rip + recorder_rows]
    add     r11, rcx
    mov     gs:[{ROW}], r11
    test    word ptr [r11 + {ROW_FLAGS}], {ALWAYS}
    jnz     3f
    movzx   ecx, byte ptr [r11 + {ROW_DESCRIPTOR}]
    mov     ecx, gs:[{R_ARGS} + rcx*8]
    cmp     ecx, {MOST_DESCRIPTORS}
    jae     recorder_divert_sited
    movabs  r11, {SHARED} + {SOCKETS}
    bt      dword ptr [r11], ecx
    jnc     recorder_pass
3:  movabs  r11, {SHARED}
    mov     rcx, [r11 + {TAIL}]
    sub     rcx, [r11 + {HEAD}]
    cmp     rcx, [r11 + {LIMIT}]
    ja      recorder_divert_sited
    mov     r11, gs:[{ROW}]
    test    word ptr [r11 + {ROW_FLAGS}], {LOOKS}
    jnz     recorder_look

recorder_ready:
    rdtsc
    shl     rdx, 32
    or      rax, rdx
    mov     gs:[{R_START}], rax
    mov     rax, gs:[{R_NUMBER}]
    mov     rdx, gs:[{R_ARGS} + 16]
    mov     dword ptr gs:[{STATE}], {CALLING}
    mov     r11, gs:[{ROW}]
    test    word ptr [r11 + {ROW_FLAGS}], {CLOSES}
    jz      recorder_call
    // Another thread may be given the number before this call comes back.
    movabs  r11, {SHARED} + {FORMER}
    lock bts dword ptr [r11], edi
    movabs  r11, {SHARED} + {SOCKETS}
    lock btr dword ptr [r11], edi
recorder_call:
    syscall
recorder_called:
    mov     gs:[{R_VALUE}], rax
recorder_back:
    mov     gs:[{FLAGS}], r11
    rdtsc
    shl     rdx, 32
    or      rax, rdx
    mov     gs:[{R_END}], rax
    mov     dword ptr gs:[{STATE}], {BACK}
    cld
    xor     eax, eax
    mov     gs:[{R_INODE}], rax
    mov     gs:[{NOTIFY}], rax
    rdgsbase r8
    add     r8, {RECORD} + {PIECES}             // r8: where the next piece goes
    mov     r9, gs:[{ROW}]                      // r9: the next operation
    test    word ptr [r9 + {ROW_FLAGS}], {OPENS}
    jnz     recorder_opened
5:  add     r9, {ROW_OPERATIONS}

recorder_next:
    movzx   eax, byte ptr [r9]
    test    eax, eax
    jz      recorder_finish
    movzx   ecx, byte ptr [r9 + 1]
    add     r9, 2
    mov     edx, ecx
    and     ecx, 15
    shr     edx, 4
    mov     rsi, gs:[{R_ARGS} + rcx*8]          // rsi: the pointer
    mov     rcx, gs:[{R_ARGS} + rdx*8]          // rcx: its length
    lea     rdx, [rip + recorder_next]
    mov     gs:[{LINK}], rdx
    lea     rdx, [rip + recorder_operations]
    movsxd  rax, dword ptr [rdx + rax*4]
    add     rax, rdx
    mov     rdx, gs:[{R_VALUE}]                 // rdx: the result
    jmp     rax

// The operations. Each leads to `data` or `copy`, or on to the next one.

recorder_sent:                                  // what was taken; of a failed call, what was offered
    test    rdx, rdx
    js      recorder_data
    cmp     rcx, rdx
    cmova   rcx, rdx
    jmp     recorder_data

recorder_received:
    test    rdx, rdx
    jle     recorder_next
    cmp     rcx, rdx
    cmova   rcx, rdx

recorder_data:                                  // payload: as much as is wanted of it
    movabs  r11, {SHARED}
    cmp     rcx, [r11 + {DATA}]
    cmova   rcx, [r11 + {DATA}]

recorder_copy:                                  // a piece of rcx bytes at rsi
    test    rcx, rcx
    jz      2f
    test    rsi, rsi
    jz      2f
    mov     r10, r8
    mov     [r10], rsi
    mov     [r10 + 8], rcx
    lea     rdi, [r10 + 16]
    // What a failed call was given, the kernel has not looked at.
    cmp     qword ptr gs:[{R_VALUE}], 0
    jl      recorder_copy_unsure
    cmp     dword ptr gs:[{CAREFUL}], 0
    jne     recorder_copy_unsure
recorder_copying:
    rep movsb
1:  mov     r8, [r10 + 8]
    lea     r8, [r10 + r8 + 16 + 7]
    and     r8, -8
2:  jmp     qword ptr gs:[{LINK}]

recorder_faulted:                               // the tracer leads a fault at `copying` here: rcx bytes are missing
    sub     [r10 + 8], rcx
    jmp     1b

recorder_copy_unsure:                           // let the kernel copy, by process_vm_readv
    mov     gs:[{LOCAL}], rdi
    mov     gs:[{LOCAL} + 8], rcx
    mov     gs:[{REMOTE}], rsi
    mov     gs:[{REMOTE} + 8], rcx
    mov     gs:[{PIECE}], r10
    mov     gs:[{OPERATION}], r9
    rdgsbase rsi
    lea     r10, [rsi + {REMOTE}]
    add     rsi, {LOCAL}
    movabs  r11, {SHARED}
    mov     rdi, [r11 + {PID}]
    mov     edx, 1
    mov     r8d, 1
    xor     r9d, r9d
    mov     eax, {SYS_process_vm_readv}
    syscall
    mov     r10, gs:[{PIECE}]
    mov     r9, gs:[{OPERATION}]
    xor     ecx, ecx
    test    rax, rax
    cmovs   rax, rcx
    mov     [r10 + 8], rax
    jmp     1b

recorder_address:                               // a socket address handed over
    mov     ecx, ecx
    cmp     ecx, {LONGEST_ADDRESS}
    jbe     recorder_copy
    mov     ecx, {LONGEST_ADDRESS}
    jmp     recorder_copy

recorder_back_address:                          // one given back, and the length behind the pointer in rcx
    test    rcx, rcx
    jz      recorder_next
    mov     rax, {IS_BEFORE} + 4
    mov     [r8], rcx
    mov     [r8 + 8], rax
    mov     eax, gs:[{BEFORE}]
    mov     [r8 + 16], rax
    add     r8, 24
    test    rdx, rdx
    js      recorder_next
recorder_loading:
    mov     eax, [rcx]
    mov     [r8], rcx
    mov     qword ptr [r8 + 8], 4
    mov     [r8 + 16], rax
    add     r8, 24
    mov     ecx, gs:[{BEFORE}]
    cmp     ecx, eax
    cmova   ecx, eax
    cmp     ecx, {LONGEST_OPTION}
    jbe     recorder_copy
    mov     ecx, {LONGEST_OPTION}
    jmp     recorder_copy

recorder_option:                                // an option handed over; how long it may be was looked at before
    mov     ecx, ecx
    jmp     recorder_copy

recorder_events:                                // epoll_events given back: 12 bytes each
    test    rdx, rdx
    jle     recorder_next
    movabs  r11, {SHARED}
    cmp     rdx, [r11 + {ITEMS}]
    cmova   rdx, [r11 + {ITEMS}]
    lea     rcx, [rdx + rdx*2]
    shl     rcx, 2
    jmp     recorder_copy

recorder_event:                                 // one handed over
    cmp     dword ptr gs:[{R_ARGS} + 8], {EPOLL_CTL_DEL}
    je      recorder_next
    mov     ecx, 12
    jmp     recorder_copy

recorder_mask:                                  // a signal mask
    mov     ecx, 8
    jmp     recorder_copy

recorder_word:                                  // an int
    mov     ecx, 4
    jmp     recorder_copy

recorder_offset:                                // an offset, before and after
    test    rsi, rsi
    jz      recorder_next
    mov     rax, {IS_BEFORE} + 8
    mov     [r8], rsi
    mov     [r8 + 8], rax
    mov     rax, gs:[{BEFORE}]
    mov     [r8 + 16], rax
    add     r8, 24
    mov     ecx, 8
    jmp     recorder_copy

recorder_polled:                                // pollfds: 8 bytes each; how many was looked at before
    mov     ecx, ecx
    shl     rcx, 3
    jmp     recorder_copy

recorder_vector_sent:                           // of a failed call, what was offered
    mov     rax, -1
    test    rdx, rdx
    cmovns  rax, rdx
    mov     gs:[{LEFT}], rax
    jmp     recorder_vector
recorder_vector_received:
    test    rdx, rdx
    mov     eax, 0
    cmovns  rax, rdx
    mov     gs:[{LEFT}], rax
recorder_vector:                                // rcx iovecs at rsi
    movabs  r11, {SHARED}
    mov     rax, [r11 + {DATA}]
    mov     gs:[{BUDGET}], rax
    cmp     rcx, [r11 + {ITEMS}]
    cmova   rcx, [r11 + {ITEMS}]
    shl     rcx, 4
    lea     rdx, [rip + 6f]
    mov     gs:[{LINK}], rdx
    mov     r10, r8
    mov     qword ptr [r10 + 8], 0              // where nothing is copied
    jmp     recorder_copy
6:  lea     rax, [r10 + 16]                     // the iovecs as they were copied
    mov     rcx, [r10 + 8]
    and     rcx, -16
    add     rcx, rax
    cmp     r8, r10                             // nothing was
    cmove   rcx, rax
    mov     gs:[{VECTOR}], rax
    mov     gs:[{VECTOR_END}], rcx
    lea     rdx, [rip + 7f]
    mov     gs:[{LINK}], rdx
7:  mov     rax, gs:[{VECTOR}]
    cmp     rax, gs:[{VECTOR_END}]
    jae     recorder_next
    mov     rsi, [rax]
    mov     rcx, [rax + 8]
    add     rax, 16
    mov     gs:[{VECTOR}], rax
    cmp     rcx, gs:[{LEFT}]
    cmova   rcx, gs:[{LEFT}]
    sub     gs:[{LEFT}], rcx
    cmp     rcx, gs:[{BUDGET}]
    cmova   rcx, gs:[{BUDGET}]
    sub     gs:[{BUDGET}], rcx
    jmp     recorder_copy

recorder_message_sent:
    mov     rax, -1
    test    rdx, rdx
    cmovns  rax, rdx
    mov     gs:[{LEFT}], rax
    jmp     recorder_message
recorder_message_received:
    test    rdx, rdx
    mov     eax, 0
    cmovns  rax, rdx
    mov     gs:[{LEFT}], rax
    // The header as it was before the call.
    mov     rax, {IS_BEFORE} + {MESSAGE_HEADER}
    mov     [r8], rsi
    mov     [r8 + 8], rax
    mov     rcx, rsi
    lea     rdi, [r8 + 16]
    rdgsbase rsi
    add     rsi, {KEPT}
    mov     rdx, rcx
    mov     ecx, {MESSAGE_HEADER} / 8
    rep movsq
    mov     r8, rdi
    mov     rsi, rdx
recorder_message:
    lea     rdx, [rip + 8f]
    mov     gs:[{LINK}], rdx
    mov     ecx, {MESSAGE_HEADER}
    jmp     recorder_copy
8:  cmp     qword ptr [r10 + 8], {MESSAGE_HEADER}
    jb      recorder_next
    mov     gs:[{VECTOR}], r10                  // kept while the name is copied
    lea     rdx, [rip + 9f]
    mov     gs:[{LINK}], rdx
    cmp     qword ptr gs:[{LEFT}], 0            // nothing was received, nor a name
    jne     4f
    cmp     qword ptr gs:[{R_VALUE}], 0
    jl      9f
4:  mov     rsi, [r10 + 16]                     // msg_name, msg_namelen
    mov     ecx, [r10 + 16 + 8]
    cmp     ecx, gs:[{KEPT} + 8]
    cmova   ecx, gs:[{KEPT} + 8]
    jmp     recorder_address
9:  mov     r10, gs:[{VECTOR}]
    mov     rsi, [r10 + 16 + 16]                // msg_iov, msg_iovlen
    mov     rcx, [r10 + 16 + 24]
    jmp     recorder_vector

recorder_opened:                                // a new socket's descriptor: which socket, and does any filter cover it?
    mov     rdi, gs:[{R_VALUE}]
    test    rdi, rdi
    js      5b
    mov     qword ptr gs:[{NOTIFY}], 1
    cmp     edi, {MOST_DESCRIPTORS}
    jae     5b
    mov     eax, {SYS_fstat}
    rdgsbase rsi
    add     rsi, {STAT}
    syscall
    test    rax, rax
    js      4f
    mov     rax, gs:[{STAT} + {INODE_OF_STAT}]
    mov     gs:[{R_INODE}], rax
4:  movabs  r11, {SHARED} + {SOCKETS}
    lock bts dword ptr [r11], edi
    movabs  r11, {SHARED} + {COVERED}
    bt      dword ptr [r11], edi
    jnc     5b
    mov     qword ptr gs:[{NOTIFY}], 0
    jmp     5b

recorder_finish:
    rdgsbase rsi
    add     rsi, {RECORD}
    mov     rcx, r8
    sub     rcx, rsi
    mov     gs:[{R_SIZE}], rcx
    mov     dword ptr gs:[{STATE}], {RESERVING}
    movabs  r11, {SHARED}
    mov     rdx, rcx
recorder_reserve:
    lock xadd [r11 + {TAIL}], rdx
recorder_reserved:
    mov     gs:[{POSITION}], rdx
    mov     dword ptr gs:[{STATE}], {RESERVED}
    mov     rax, rdx
    and     rdx, [r11 + {MASK}]
    add     rdx, [r11 + {RING}]
    xor     rax, [r11 + {SECRET}]
    lea     rdi, [rdx + 8]
    add     rsi, 8
    shr     rcx, 3
    dec     rcx
    rep movsq
    mov     [rdx], rax
    mov     dword ptr gs:[{STATE}], {IDLE}

recorder_restore:
    mov     rdi, gs:[{R_ARGS}]
    mov     rsi, gs:[{R_ARGS} + 8]
    mov     rdx, gs:[{R_ARGS} + 16]
    mov     r10, gs:[{R_ARGS} + 24]
    mov     r8, gs:[{R_ARGS} + 32]
    mov     r9, gs:[{R_ARGS} + 40]
    cmp     dword ptr gs:[{NOTIFY}], 0
    jne     recorder_notify
recorder_leave:                                 // flags as they were, r11 and rcx as the call leaves them
    mov     rax, gs:[{SITE}]
    mov     r11, gs:[{FLAGS}]
    bt      r11, {DIRECTION}
    jnc     1f
    std
1:  rol     rax, 16                             // ah: the flags that lahf knows; al: overflow
    mov     rcx, rax
    and     r11, {OTHER_FLAGS}
    movzx   ecx, ah
    and     ecx, {STATUS_FLAGS}
    or      r11, rcx
    movzx   ecx, al
    shl     ecx, {OVERFLOW}
    or      r11, rcx
    mov     rcx, gs:[{SITE}]
    shl     rcx, 16
    shr     rcx, 16
    add     al, 127
    sahf
    mov     rax, gs:[{R_VALUE}]
    lea     rcx, [rcx + {TO_BACK}]
    jmp     rcx
recorder_restored:

recorder_pass:                                  // no socket: a call that nobody wants to see
    syscall
recorder_passed:
    mov     gs:[{R_VALUE}], rax
recorder_passing:
    mov     gs:[{FLAGS}], r11
    mov     rcx, gs:[{ROW}]
    movzx   ecx, byte ptr [rcx + {ROW_DESCRIPTOR}]
    mov     ecx, gs:[{R_ARGS} + rcx*8]
    movabs  r11, {SHARED} + {FORMER}
    bt      dword ptr [r11], ecx
    jnc     recorder_leave
    cmp     rax, -{EBADF}
    je      recorder_bad
    lock btr dword ptr [r11], ecx               // something has come in its place
    jmp     recorder_leave

recorder_bad:                                   // a closed socket's number: once more where it stops
    mov     rax, gs:[{R_NUMBER}]
recorder_divert_sited:
    mov     r11, gs:[{SITE}]
recorder_divert:                                // flags as they were
    mov     rcx, r11
    shl     rcx, 16
    shr     rcx, 16
    shr     r11, {FLAGS_SHIFT}
recorder_unpacked:
    xchg    rax, r11
    add     al, 127
    sahf
    xchg    rax, r11
recorder_flags_restored:
    lea     rcx, [rcx + {TO_STOP}]
    jmp     rcx
recorder_diverted:

recorder_look:                                  // r11: the row. What must be seen before the call
    test    word ptr [r11 + {ROW_FLAGS}], {LENGTH}
    jz      2f
    movzx   ecx, byte ptr [r11 + {ROW_LENGTH}]
    mov     rcx, gs:[{R_ARGS} + rcx*8]
    test    rcx, rcx
    jz      2f
    cmp     dword ptr gs:[{CAREFUL}], 0
    jne     recorder_divert_sited
recorder_looking_at_length:
    mov     ecx, [rcx]
    cmp     ecx, {LONGEST_OPTION}
    ja      recorder_divert_sited
    mov     gs:[{BEFORE}], ecx
2:  test    word ptr [r11 + {ROW_FLAGS}], {OFFSET}
    jz      2f
    movzx   ecx, byte ptr [r11 + {ROW_LENGTH}]
    mov     rcx, gs:[{R_ARGS} + rcx*8]
    test    rcx, rcx
    jz      2f
    cmp     dword ptr gs:[{CAREFUL}], 0
    jne     recorder_divert_sited
recorder_looking_at_offset:
    mov     rcx, [rcx]
    mov     gs:[{BEFORE}], rcx
2:  test    word ptr [r11 + {ROW_FLAGS}], {REQUEST}
    jz      2f
    cmp     dword ptr gs:[{R_ARGS} + 8], {FIONBIO}
    je      2f
    cmp     dword ptr gs:[{R_ARGS} + 8], {FIONREAD}
    jne     recorder_divert_sited
2:  test    word ptr [r11 + {ROW_FLAGS}], {RECEIVES}
    jz      2f
    test    dword ptr gs:[{R_ARGS} + 24], {MSG_ODD}
    jnz     recorder_divert_sited
2:  test    word ptr [r11 + {ROW_FLAGS}], {COMMAND}
    jz      2f
    mov     ecx, gs:[{R_ARGS} + 8]
    dec     ecx
    cmp     ecx, {F_SETFL}
    jae     recorder_divert_sited
2:  test    word ptr [r11 + {ROW_FLAGS}], {FEW}
    jz      2f
    cmp     dword ptr gs:[{R_ARGS} + 8], {MOST_POLLED}
    ja      recorder_divert_sited
2:  test    word ptr [r11 + {ROW_FLAGS}], {OPTION}
    jz      2f
    cmp     dword ptr gs:[{R_ARGS} + 32], {LONGEST_OPTION}
    ja      recorder_divert_sited
2:  test    word ptr [r11 + {ROW_FLAGS}], {WHOLE}
    jz      2f
    test    word ptr [r11 + {ROW_FLAGS}], {MESSAGE}
    jnz     2f                                  // its vector is known below
    test    word ptr [r11 + {ROW_FLAGS}], {VECTORED}
    jnz     3f
    movabs  rcx, {SHARED}
    mov     rcx, [rcx + {LONGEST}]
    cmp     gs:[{R_ARGS} + 16], rcx
    ja      recorder_divert_sited
    jmp     2f
3:  cmp     dword ptr gs:[{CAREFUL}], 0
    jne     recorder_divert_sited
    mov     rcx, gs:[{R_ARGS} + 8]
    mov     r11, gs:[{R_ARGS} + 16]
    jmp     recorder_whole_vector
2:  test    word ptr [r11 + {ROW_FLAGS}], {MESSAGE}
    jz      recorder_ready
    test    dword ptr gs:[{R_ARGS} + 16], {MSG_ODD}
    jnz     recorder_divert_sited
    cmp     dword ptr gs:[{CAREFUL}], 0
    jne     recorder_divert_sited
    mov     rcx, gs:[{R_ARGS} + 8]
recorder_looking_at_message:
    mov     r11, [rcx + 40]                     // msg_controllen
    test    r11, r11
    jnz     recorder_divert_sited
    mov     r11, [rcx]
    mov     gs:[{KEPT}], r11
    mov     r11, [rcx + 8]
    mov     gs:[{KEPT} + 8], r11
    mov     r11, [rcx + 16]
    mov     gs:[{KEPT} + 16], r11
    mov     r11, [rcx + 24]
    mov     gs:[{KEPT} + 24], r11
    mov     r11, [rcx + 32]
    mov     gs:[{KEPT} + 32], r11
    mov     r11, [rcx + 48]
    mov     gs:[{KEPT} + 48], r11
recorder_looked_at_message:
    xor     r11d, r11d
    mov     gs:[{KEPT} + 40], r11
    mov     r11, gs:[{ROW}]
    test    word ptr [r11 + {ROW_FLAGS}], {WHOLE}
    jz      recorder_ready
    mov     rcx, gs:[{KEPT} + 16]
    mov     r11, gs:[{KEPT} + 24]

recorder_whole_vector:                          // r11 iovecs at rcx: are they short enough together?
    cmp     r11, {MOST_BUFFERS}
    ja      recorder_divert_sited
    shl     r11, 4
    add     r11, rcx
    mov     gs:[{VECTOR_END}], r11
    movabs  r11, {SHARED}
    mov     r11, [r11 + {LONGEST}]
3:  cmp     rcx, gs:[{VECTOR_END}]
    jae     recorder_ready
recorder_looking_at_vector:
    sub     r11, [rcx + 8]
    jc      recorder_divert_sited
    add     rcx, 16
    jmp     3b

recorder_notify:                                // on to the page that stops
    jmp     recorder_start + {PAGE}

    .balign 4
recorder_operations:
    .long   0
    .long   recorder_sent - recorder_operations
    .long   recorder_received - recorder_operations
    .long   recorder_address - recorder_operations
    .long   recorder_back_address - recorder_operations
    .long   recorder_option - recorder_operations
    .long   recorder_events - recorder_operations
    .long   recorder_event - recorder_operations
    .long   recorder_polled - recorder_operations
    .long   recorder_vector_sent - recorder_operations
    .long   recorder_vector_received - recorder_operations
    .long   recorder_message_sent - recorder_operations
    .long   recorder_message_received - recorder_operations
    .long   recorder_mask - recorder_operations
    .long   recorder_word - recorder_operations
    .long   recorder_offset - recorder_operations

    .balign 16
recorder_rows:                                  // both tables are filled by the tracer
    .skip   {ROWS} * 16
recorder_numbers:
    .skip   {NUMBERS}
recorder_end:

    .org    recorder_start + {PAGE}
    mov     eax, {SYS_NOTIFY}
recorder_notifying:
    syscall
recorder_notified:
    ud2
recorder_whole:

    .balign 4
recorder_labels:                                // in the order of the fields of Labels
    .long   recorder_putting_aside - recorder_start
    .long   recorder_packing - recorder_start
    .long   recorder_packed - recorder_start
    .long   recorder_sited - recorder_start
    .long   recorder_ready - recorder_start
    .long   recorder_call - recorder_start
    .long   recorder_called - recorder_start
    .long   recorder_back - recorder_start
    .long   recorder_copying - recorder_start
    .long   recorder_faulted - recorder_start
    .long   recorder_loading - recorder_start
    .long   recorder_next - recorder_start
    .long   recorder_reserve - recorder_start
    .long   recorder_reserved - recorder_start
    .long   recorder_restore - recorder_start
    .long   recorder_leave - recorder_start
    .long   recorder_restored - recorder_start
    .long   recorder_pass - recorder_start
    .long   recorder_passed - recorder_start
    .long   recorder_passing - recorder_start
    .long   recorder_bad - recorder_start
    .long   recorder_divert_sited - recorder_start
    .long   recorder_divert - recorder_start
    .long   recorder_unpacked - recorder_start
    .long   recorder_flags_restored - recorder_start
    .long   recorder_diverted - recorder_start
    .long   recorder_look - recorder_start
    .long   recorder_looking_at_length - recorder_start
    .long   recorder_looking_at_offset - recorder_start
    .long   recorder_looking_at_message - recorder_start
    .long   recorder_looked_at_message - recorder_start
    .long   recorder_looking_at_vector - recorder_start
    .long   recorder_notify - recorder_start
    .long   recorder_rows - recorder_start
    .long   recorder_numbers - recorder_start
    .long   recorder_end - recorder_start
    .long   recorder_notified - recorder_start
    .popsection
