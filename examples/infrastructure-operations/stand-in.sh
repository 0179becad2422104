#!/bin/sh
# Stands in for terraform: "stand-in.sh apply --input=false PLAN" applies a plan to the state in its working folder.
# A plan is lines: "create NAME VALUE", "destroy NAME", and "run COMMAND", which is what terraform calls local-exec.

[ "$1" = apply ] || exit 2
for plan; do :; done
touch state
while read -r verb name value; do
  case $verb in
    create) echo "$name: $value" >> state ;;
    destroy) sed -i "/^$name: /d" state ;;
    run) sh -c "$name $value" || : ;;
  esac
done < "$plan"
