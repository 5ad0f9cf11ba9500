/**
 * The numbers and types of fields of the messages that kubectl sends as protobuf, as `number:name:type`. A star marks
 * what is told apart from absent when it is zero. What is not here is left out on purpose and refused when it is used.
 */
export const messageFields: Readonly<Record<string, string>> = {
  SelfSubjectAccessReview: "1:metadata:ObjectMeta 2:spec:SelfSubjectAccessReviewSpec",
  ObjectMeta:
    "1:name:string 2:generateName:string 3:namespace:string 4:selfLink:string 5:uid:string 6:resourceVersion:string 7:generation:integer 8:creationTimestamp:time 9:deletionTimestamp:time 10:deletionGracePeriodSeconds:integer 11:labels:map 12:annotations:map 13:ownerReferences:[]OwnerReference 14:finalizers:[]string",
  OwnerReference:
    "5:apiVersion:string 1:kind:string 3:name:string 4:uid:string 6:controller:bool* 7:blockOwnerDeletion:bool*",
  SelfSubjectAccessReviewSpec:
    "1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:NonResourceAttributes",
  ResourceAttributes:
    "1:namespace:string 2:verb:string 3:group:string 4:version:string 5:resource:string 6:subresource:string 7:name:string",
  NonResourceAttributes: "1:path:string 2:verb:string",
  SubjectAccessReview: "1:metadata:ObjectMeta 2:spec:SubjectAccessReviewSpec",
  SubjectAccessReviewSpec:
    "1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:NonResourceAttributes 3:user:string 4:groups:[]string 5:extra:extramap 6:uid:string",
  SelfSubjectRulesReview: "1:metadata:ObjectMeta 2:spec:SelfSubjectRulesReviewSpec",
  SelfSubjectRulesReviewSpec: "1:namespace:string",
  SelfSubjectReview: "1:metadata:ObjectMeta",
  TokenRequest: "1:metadata:ObjectMeta 2:spec:TokenRequestSpec",
  TokenRequestSpec: "1:audiences:[]string 4:expirationSeconds:integer* 3:boundObjectRef:BoundObjectReference",
  BoundObjectReference: "1:kind:string 2:apiVersion:string 3:name:string 4:uID:string",
  TokenReview: "1:metadata:ObjectMeta 2:spec:TokenReviewSpec",
  TokenReviewSpec: "1:token:string 2:audiences:[]string",
  ConfigMap: "1:metadata:ObjectMeta 4:immutable:bool* 2:data:map 3:binaryData:bytemap",
  Secret: "1:metadata:ObjectMeta 5:immutable:bool* 2:data:bytemap 4:stringData:map 3:type:string",
  Namespace: "1:metadata:ObjectMeta 2:spec:NamespaceSpec 3:status:NamespaceStatus",
  NamespaceSpec: "1:finalizers:[]string",
  NamespaceStatus: "1:phase:string",
  ServiceAccount:
    "1:metadata:ObjectMeta 2:secrets:[]ObjectReference 3:imagePullSecrets:[]LocalObjectReference 4:automountServiceAccountToken:bool*",
  ObjectReference:
    "1:kind:string 2:namespace:string 3:name:string 4:uid:string 5:apiVersion:string 6:resourceVersion:string 7:fieldPath:string",
  LocalObjectReference: "1:name:string",
  Service: "1:metadata:ObjectMeta 2:spec:ServiceSpec 3:status:ServiceStatus",
  ServiceSpec: "1:ports:[]ServicePort 2:selector:map 3:clusterIP:string 4:type:string 10:externalName:string",
  ServicePort:
    "1:name:string 2:protocol:string 6:appProtocol:string 3:port:integer 4:targetPort:intorstring 5:nodePort:integer",
  ServiceStatus: "",
  Role: "1:metadata:ObjectMeta 2:rules:[]PolicyRule",
  PolicyRule:
    "1:verbs:[]string 2:apiGroups:[]string 3:resources:[]string 4:resourceNames:[]string 5:nonResourceURLs:[]string",
  RoleBinding: "1:metadata:ObjectMeta 2:subjects:[]Subject 3:roleRef:RoleRef",
  Subject: "1:kind:string 2:apiGroup:string 3:name:string 4:namespace:string",
  RoleRef: "1:apiGroup:string 2:kind:string 3:name:string",
  ClusterRole: "1:metadata:ObjectMeta 2:rules:[]PolicyRule",
  ClusterRoleBinding: "1:metadata:ObjectMeta 2:subjects:[]Subject 3:roleRef:RoleRef",
  Deployment: "1:metadata:ObjectMeta 2:spec:DeploymentSpec 3:status:DeploymentStatus",
  DeploymentSpec:
    "1:replicas:integer* 2:selector:LabelSelector 3:template:PodTemplateSpec 5:minReadySeconds:integer 6:revisionHistoryLimit:integer* 7:paused:bool 9:progressDeadlineSeconds:integer*",
  LabelSelector: "1:matchLabels:map 2:matchExpressions:[]LabelSelectorRequirement",
  LabelSelectorRequirement: "1:key:string 2:operator:string 3:values:[]string",
  PodTemplateSpec: "1:metadata:ObjectMeta 2:spec:PodSpec",
  PodSpec:
    "1:volumes:[]Volume 2:containers:[]Container 3:restartPolicy:string 4:terminationGracePeriodSeconds:integer 6:dnsPolicy:string 7:nodeSelector:map 8:serviceAccountName:string",
  Volume: "",
  Container:
    "1:name:string 2:image:string 3:command:[]string 4:args:[]string 5:workingDir:string 6:ports:[]ContainerPort 7:env:[]EnvVar 8:resources:ResourceRequirements 14:imagePullPolicy:string",
  ContainerPort: "1:name:string 2:hostPort:integer 3:containerPort:integer 4:protocol:string 5:hostIP:string",
  EnvVar: "1:name:string 2:value:string",
  ResourceRequirements: "1:limits:quantitymap 2:requests:quantitymap",
  DeploymentStatus: "",
  Lease: "1:metadata:ObjectMeta 2:spec:LeaseSpec",
  LeaseSpec:
    "1:holderIdentity:string 2:leaseDurationSeconds:integer* 3:acquireTime:microtime 4:renewTime:microtime 5:leaseTransitions:integer* 7:preferredHolder:string",
  Scale: "1:metadata:ObjectMeta 2:spec:ScaleSpec",
  ScaleSpec: "1:replicas:integer*",
  DeleteOptions:
    "1:gracePeriodSeconds:integer* 2:preconditions:Preconditions 3:orphanDependents:bool* 4:propagationPolicy:string 5:dryRun:[]string 6:ignoreStoreReadErrorWithClusterBreakingPotential:bool",
  Preconditions: "1:uid:string 2:resourceVersion:string",
};
