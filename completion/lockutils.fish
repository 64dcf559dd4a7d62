# fish completion of lockutils

set -l run '__fish_seen_subcommand_from run'
set -l why '__fish_seen_subcommand_from why'

complete -c lockutils -f
complete -c lockutils -n "not $run; and not $why" -a run -d 'Run a program while holding locks'
complete -c lockutils -n "not $run; and not $why" -a why -d 'Tell why a lock cannot be had'
complete -c lockutils -s h -l help -d 'Show the commands or options'
complete -c lockutils -s V -l version -d 'Show the version'

complete -c lockutils -n $run -l lock -x -d 'The lock to hold'
complete -c lockutils -n $run -l lock-file -r -F -d 'The same for exactly this file'
complete -c lockutils -n $run -s w -l timeout -l wait -x -d 'Wait at most so many seconds'
complete -c lockutils -n $run -s n -l no-wait -l nonblock -d 'Do not wait'
complete -c lockutils -n $run -s s -l shared -d 'As a reader'
complete -c lockutils -n $run -s x -l exclusive -d 'With nobody else'
complete -c lockutils -n $run -l slots -x -d 'With others, so many together'
complete -c lockutils -n $run -l fair -d 'Strictly in turn'
complete -c lockutils -n $run -s E -l conflict-exit-code -x -d 'Exit status when a lock was not got'
complete -c lockutils -n $run -l lock-path -x -a '(__fish_complete_directories)' -d 'Directory of the lock files'
complete -c lockutils -n $run -l file-mode -x -d 'Mode of new lock files'
complete -c lockutils -n $run -l prefix -x -d 'Put before each name'
complete -c lockutils -n $run -s c -l command -x -d 'Have a shell run this'
complete -c lockutils -n $run -s o -l close -d 'Do not hand the locks to the command'
complete -c lockutils -n $run -s F -l no-fork -d 'Become the command'
complete -c lockutils -n $run -l verbose -d 'Tell of waiting, acquiring and releasing'
complete -c lockutils -n $run -x -a '(__fish_complete_subcommand --fcs-skip=2 -w --lock --lock-file --timeout --wait --slots -E --conflict-exit-code --lock-path --file-mode --prefix -c --command)'

complete -c lockutils -n $why -l lock-path -x -a '(__fish_complete_directories)' -d 'Directory of the lock files'
complete -c lockutils -n $why -l prefix -x -d 'Put before the name'
complete -c lockutils -n $why -l json -d 'One JSON object'
