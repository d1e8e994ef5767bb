"""The scheduler API (`mesos/v1/scheduler/scheduler.proto`)."""

TABLE = """
scheduler.Event: type Type 1, subscribed Subscribed 2, offers Offers 3, rescind Rescind 4, update Update 5,
    message Message 6, failure Failure 7, error Error 8, inverse_offers InverseOffers 9,
    rescind_inverse_offer RescindInverseOffer 10, update_operation_status UpdateOperationStatus 11
enum scheduler.Event.Type: UNKNOWN 0, SUBSCRIBED 1, OFFERS 2, RESCIND 3, UPDATE 4, MESSAGE 5, FAILURE 6, ERROR 7,
    HEARTBEAT 8, INVERSE_OFFERS 9, RESCIND_INVERSE_OFFER 10, UPDATE_OPERATION_STATUS 11
scheduler.Event.Subscribed: framework_id FrameworkID! 1, heartbeat_interval_seconds double 2, master_info MasterInfo 3
scheduler.Event.Offers: offers Offer* 1
scheduler.Event.InverseOffers: inverse_offers InverseOffer* 1
scheduler.Event.Rescind: offer_id OfferID! 1
scheduler.Event.RescindInverseOffer: inverse_offer_id OfferID! 1
scheduler.Event.Update: status TaskStatus! 1
scheduler.Event.UpdateOperationStatus: status OperationStatus! 1
scheduler.Event.Message: agent_id AgentID! 1, executor_id ExecutorID! 2, data bytes! 3
scheduler.Event.Failure: agent_id AgentID 1, executor_id ExecutorID 2, status int32 3
scheduler.Event.Error: message string! 1
scheduler.Response: type Type 1, reconcile_operations ReconcileOperations 2
enum scheduler.Response.Type: UNKNOWN 0, RECONCILE_OPERATIONS 1
scheduler.Response.ReconcileOperations: operation_statuses OperationStatus* 1

scheduler.AttributeConstraint: selector Selector! 1, predicate Predicate! 2
scheduler.AttributeConstraint.Selector: pseudoattribute_type PseudoattributeType 1, attribute_name string 2
enum scheduler.AttributeConstraint.Selector.PseudoattributeType: UNKNOWN 0, HOSTNAME 1, REGION 2, ZONE 3
scheduler.AttributeConstraint.Predicate: exists Exists 1, not_exists NotExists 2, text_equals TextEquals 3,
    text_not_equals TextNotEquals 4, text_matches TextMatches 5, text_not_matches TextNotMatches 6
scheduler.AttributeConstraint.Predicate.Exists:
scheduler.AttributeConstraint.Predicate.NotExists:
scheduler.AttributeConstraint.Predicate.TextEquals: value string! 1
scheduler.AttributeConstraint.Predicate.TextNotEquals: value string! 1
scheduler.AttributeConstraint.Predicate.TextMatches: regex string! 1
scheduler.AttributeConstraint.Predicate.TextNotMatches: regex string! 1
scheduler.OfferConstraints: role_constraints string>RoleConstraints 1
scheduler.OfferConstraints.RoleConstraints: groups Group* 1
scheduler.OfferConstraints.RoleConstraints.Group: attribute_constraints AttributeConstraint* 1

scheduler.Call: framework_id FrameworkID 1, type Type 2, subscribe Subscribe 3, accept Accept 4, decline Decline 5,
    kill Kill 6, shutdown Shutdown 7, acknowledge Acknowledge 8, reconcile Reconcile 9, message Message 10,
    request Request 11, accept_inverse_offers AcceptInverseOffers 13, decline_inverse_offers DeclineInverseOffers 14,
    revive Revive 15, suppress Suppress 16, acknowledge_operation_status AcknowledgeOperationStatus 17,
    reconcile_operations ReconcileOperations 18, update_framework UpdateFramework 19
enum scheduler.Call.Type: UNKNOWN 0, SUBSCRIBE 1, TEARDOWN 2, ACCEPT 3, DECLINE 4, REVIVE 5, KILL 6, SHUTDOWN 7,
    ACKNOWLEDGE 8, RECONCILE 9, MESSAGE 10, REQUEST 11, SUPPRESS 12, ACCEPT_INVERSE_OFFERS 13,
    DECLINE_INVERSE_OFFERS 14, ACKNOWLEDGE_OPERATION_STATUS 15, RECONCILE_OPERATIONS 16, UPDATE_FRAMEWORK 17
scheduler.Call.Subscribe: framework_info FrameworkInfo! 1, suppressed_roles string* 2,
    offer_constraints OfferConstraints 3
scheduler.Call.Accept: offer_ids OfferID* 1, operations Offer.Operation* 2, filters Filters 3
scheduler.Call.Decline: offer_ids OfferID* 1, filters Filters 2
scheduler.Call.AcceptInverseOffers: inverse_offer_ids OfferID* 1, filters Filters 2
scheduler.Call.DeclineInverseOffers: inverse_offer_ids OfferID* 1, filters Filters 2
scheduler.Call.Revive: roles string* 1
scheduler.Call.Suppress: roles string* 1
scheduler.Call.Kill: task_id TaskID! 1, agent_id AgentID 2, kill_policy KillPolicy 3
scheduler.Call.Shutdown: executor_id ExecutorID! 1, agent_id AgentID! 2
scheduler.Call.Acknowledge: agent_id AgentID! 1, task_id TaskID! 2, uuid bytes! 3
scheduler.Call.AcknowledgeOperationStatus: agent_id AgentID 1, resource_provider_id ResourceProviderID 2,
    uuid bytes! 3, operation_id OperationID! 4
scheduler.Call.Reconcile: tasks Task* 1
scheduler.Call.Reconcile.Task: task_id TaskID! 1, agent_id AgentID 2
scheduler.Call.ReconcileOperations: operations Operation* 1
scheduler.Call.ReconcileOperations.Operation: operation_id OperationID! 1, agent_id AgentID 2,
    resource_provider_id ResourceProviderID 3
scheduler.Call.Message: agent_id AgentID! 1, executor_id ExecutorID! 2, data bytes! 3
scheduler.Call.Request: requests .Request* 1
scheduler.Call.UpdateFramework: framework_info FrameworkInfo! 1, suppressed_roles string* 2,
    offer_constraints OfferConstraints 3
"""
