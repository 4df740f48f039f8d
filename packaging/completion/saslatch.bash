# bash completion for saslatch(8); installed as .../bash-completion/completions/saslatch.
# The tables are held to the program's own by tests/daemon/cli/manual_test.cc.

_saslatch() {
  local -A commands=(
    [user]="add passwd list show main-password disable enable delete import"
    [code]="add list revoke"
    [lock]="list add clear"
    [policy]="list show replay suggest"
    [explain]="" [status]="" [watch]="" [reload]="" [test]="" [doctor]=""
  )
  local -A options=(
    [user add]="--scheme --no-cram-md5 --password-stdin"
    [user passwd]="--scheme --no-cram-md5 --keep-codes --password-stdin"
    [user import]="--format --default-scheme --no-cram-md5 --table --user-column --password-column --replace --keep-codes"
    [code add]="--label --expires --service --from --file"
    [code revoke]="--all"
    [lock list]="--limit"
    [lock add]="--for --reason"
    [lock clear]="--all"
    [policy replay]="--policy --events --format --report --decisions --compare"
    [policy suggest]="--events --format --policy --except --except-stolen --learn"
    [watch]="--interval --count"
    [test]="--socket --mechanism --clear --rip --password-stdin"
  )
  local global="--config --json --quiet --help --version"

  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $prev in
    --config | --file | --socket | --events | --report | --decisions) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --policy | --compare)
      COMPREPLY=($(compgen -f -W "small-site nist-800-63b asvs pci-dss none" -- "$cur")); return ;;
    --format) COMPREPLY=($(compgen -W "auto audit postfix dovecot" -- "$cur")); return ;;
    --mechanism) COMPREPLY=($(compgen -W "PLAIN LOGIN CRAM-MD5" -- "$cur")); return ;;
    --scheme | --default-scheme)
      COMPREPLY=($(compgen -W "ARGON2ID SHA512-CRYPT BLF-CRYPT SCRAM-SHA-256 CRAM-MD5" -- "$cur"))
      return ;;
    --label | --expires | --service | --from) return ;;
    --limit | --for | --reason | --interval | --count | --rip | --except | --learn) return ;;
  esac

  # The words of the command so far: neither options nor their values.
  local words=() i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --config) ((i++)) ;;
      -*) ;;
      *) words+=("$word") ;;
    esac
  done
  local family=${words[0]-} second=${words[1]-}
  local command=$family
  [[ -n $family && -n ${commands[$family]-} ]] && command="$family $second"

  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "${options[$command]-} $global" -- "$cur"))
  elif [[ -z $family ]]; then
    COMPREPLY=($(compgen -W "${!commands[*]}" -- "$cur"))
  elif [[ -n ${commands[$family]-} && -z $second ]]; then
    COMPREPLY=($(compgen -W "${commands[$family]}" -- "$cur"))
  elif [[ $command == "user import" || $command == "policy replay" || $command == "policy suggest" ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
  elif [[ $command == "policy show" ]]; then
    COMPREPLY=($(compgen -W "small-site nist-800-63b asvs pci-dss none" -- "$cur"))
  elif [[ $command == "lock add" || $command == "lock clear" || $command == explain ]]; then
    compopt -o nospace
    COMPREPLY=($(compgen -W "user: ip: network: user+network:" -- "$cur"))
  fi
}
complete -F _saslatch saslatch
