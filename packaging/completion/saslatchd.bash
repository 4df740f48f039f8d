# bash completion for saslatchd(8); installed as .../bash-completion/completions/saslatchd.

_saslatchd() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  if [[ ${COMP_WORDS[COMP_CWORD-1]} == --config ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
  else
    COMPREPLY=($(compgen -W "--config --check --dump-config --version --help" -- "$cur"))
  fi
}
complete -F _saslatchd saslatchd
