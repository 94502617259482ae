{{/* What all pods have in common: Pod Security `restricted`, and a read-only root file system. */}}

{{- define "lumenmill.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "lumenmill.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Ports of every service. Health has a port without TLS, since the kubelet's probes cannot present a certificate. */}}
{{- define "lumenmill.ports" -}}
- {name: grpc, containerPort: 50051}
- {name: health, containerPort: 50052}
- {name: metrics, containerPort: 9464}
{{- end -}}

{{/* Probes. Takes the seconds that loading may take. While it loads and while it drains, a pod is live and not ready. */}}
{{- define "lumenmill.probes" -}}
startupProbe:
  grpc: {port: 50052}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ divf . 5 | ceil | int }}
readinessProbe:
  grpc: {port: 50052}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  grpc: {port: 50052, service: liveness}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end -}}

{{/* Name of one of the chart's priority classes: (list root "core"). It includes the value, which is immutable. */}}
{{- define "lumenmill.priorityClass" -}}
{{- $root := index . 0 -}}
{{- $value := int (get $root.Values.priorityClasses (index . 1)) -}}
{{- printf "%s-%s-%s-%d" $root.Release.Namespace (include "lumenmill.fullname" $root) (index . 1) $value -}}
{{- end -}}

{{/* Scheduling values, with the chart's priority class when none is set: (list root values "core"). */}}
{{- define "lumenmill.scheduling" -}}
{{- $root := index . 0 -}}
{{- $kind := index . 2 -}}
{{- with index . 1 }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $own := ternary (include "lumenmill.priorityClass" (list $root $kind)) "" $root.Values.priorityClasses.create }}
{{- with .priorityClassName | default $own }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Topology spread constraints: (list constraints selector-labels). One without a selector gets this one. */}}
{{- define "lumenmill.spread" -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (index . 1 | fromYaml)) -}}
{{- with index . 0 }}
topologySpreadConstraints:
  {{- range . }}
  - {{ merge (deepCopy .) $selector | toYaml | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The claim of one pod's data, kept when the release is uninstalled: (list root component persistence). A separate object, since
     claim templates of a StatefulSet are immutable. */}}
{{- define "lumenmill.dataClaim" -}}
{{- $root := index . 0 -}}
{{- $persistence := index . 2 -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "lumenmill.fullname" $root }}-{{ index . 1 }}-data
  labels:
    {{- include "lumenmill.labels" (list $root (index . 1)) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  {{- with $persistence.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ $persistence.size }}
{{- end -}}

{{/* The volume of that claim, or an emptyDir. Arguments as those of the claim. */}}
{{- define "lumenmill.dataVolume" -}}
- name: data
  {{- if (index . 2).enabled }}
  persistentVolumeClaim: {claimName: {{ include "lumenmill.fullname" (index . 0) }}-{{ index . 1 }}-data}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}
